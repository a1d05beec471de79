"""Opens the features of a precompute artifact in other tools, with the documented one-liners.

    python features.py out/quickstart/precompute
"""

import pathlib
import re

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = ["id", "split", "label", "label_id", "view", "emb"]


def main():
    artifact, expected = artifact_argument("PRECOMPUTE")
    features = f"{artifact}/features"
    tables = open_everywhere(features)
    seen = same_everywhere(tables, COLUMNS, vectors=["emb"])
    if expected:
        as_written(seen, expected)

    rows, dim = seen["emb"].shape
    keys = pq.read_metadata(f"{features}/part-00000.parquet").metadata
    require(keys[b"pipeline.dim"] == str(dim).encode(), f"pipeline.dim is not {dim}: {keys}")
    kind = str(tables["polars"].schema["emb"])
    require(kind == f"Array(Float32, shape=({dim},))", f"polars sees emb as {kind}")
    kind = str(tables["pyarrow"].schema.field("emb").type)
    require(kind == f"fixed_size_list<element: float not null>[{dim}]", f"pyarrow sees emb as {kind}")
    print(f"ok emb is {dim} float32 a row")

    order = list(zip(seen["id"], seen["view"]))
    require(order == sorted(order, key=lambda row: (row[0].encode(), row[1])), "rows are not sorted")
    print("ok rows ascend by id, then view")

    counts = duckdb.sql(f"select label, count(*) from '{features}/*.parquet' group by all").fetchall()
    require(dict(counts) == {label: seen["label"].count(label) for label in seen["label"]}, f"found {counts}")
    print(f"ok duckdb counts by label: {counts}")

    shape = pd.read_parquet(features).emb.iloc[0].shape
    require(shape == (dim,), f"pandas sees a row of shape {shape}")
    print(f"ok pandas sees a row of shape {shape}")

    documented(artifact)
    nearest_neighbours(features, seen, dim)


def documented(artifact):
    """Runs the one-liners of the documentation as they stand there, on this artifact."""
    project = pathlib.Path(__file__).parents[2]
    for page in ["README.md", "crates/precompute/README.md"]:
        text = (project / page).read_text()
        lines = re.findall(r'^ +(duckdb|python3) -c "(.*)"$', text, re.MULTILINE)
        require(len(lines) >= 3, f"{page} has {len(lines)} one-liners, expected 3")
        for tool, line in lines:
            line = re.sub(r"out/\w+/precompute", lambda _: artifact, line)
            if tool == "duckdb":
                require(duckdb.sql(line).fetchall(), f"{page}: {line} finds nothing")
            else:
                exec(line, {})
        print(f"ok {page}: {len(lines)} one-liners")


def nearest_neighbours(features, seen, dim):
    """The photos most like the first one, by DuckDB and by numpy."""
    others = duckdb.sql(f"""
        select other.id, other.view, array_cosine_similarity(one.emb::FLOAT[{dim}], other.emb::FLOAT[{dim}]) as alike
        from '{features}/*.parquet' one, '{features}/*.parquet' other
        where one.id = $id and one.view = $view and (other.id, other.view) <> (one.id, one.view)
        order by alike desc limit 5
        """, params={"id": seen["id"][0], "view": seen["view"][0]}).fetchall()  # fmt: skip
    emb = seen["emb"].astype(np.float64)
    lengths = np.linalg.norm(emb, axis=1)
    alike = emb @ emb[0] / np.maximum(lengths * lengths[0], 1e-300)
    expected = np.sort(alike[1:])[::-1][:5]
    found = np.array([row[2] for row in others])
    require(np.allclose(found, expected, atol=1e-5), f"duckdb finds {others}, numpy {expected}")
    print(f"ok the {len(others)} nearest neighbours of {seen['id'][0]} by cosine")


if __name__ == "__main__":
    main()
