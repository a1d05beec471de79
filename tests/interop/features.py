"""Opens the features of a precompute artifact in other tools, with the documented one-liners.

    python features.py out/quickstart/precompute
"""

import os
import pathlib
import re
import tempfile

# What `datasets` would write into the home folder goes where this script works, and it asks nobody for anything.
WORK = tempfile.TemporaryDirectory()
os.environ |= {"HF_HOME": WORK.name, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import datasets
import duckdb
import lance
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = ["id", "split", "label", "label_id", "view", "emb"]


def main():
    artifact, expected = artifact_argument("PRECOMPUTE")
    artifact = os.path.abspath(artifact)
    features = f"{artifact}/features"
    tables = open_everywhere(features)
    vectors = ["emb"] + ["logits"] * ("logits" in tables["pyarrow"].column_names)
    seen = same_everywhere(tables, COLUMNS + vectors[1:], vectors=vectors)
    if expected:
        as_written(seen, expected)

    rows, dim = seen["emb"].shape
    keys = pq.read_metadata(f"{features}/part-00000.parquet").metadata
    require(keys[b"pipeline.dim"] == str(dim).encode(), f"pipeline.dim is not {dim}: {keys}")
    kind = str(tables["polars"].schema["emb"])
    require(kind == f"Array(Float32, shape=({dim},))", f"polars sees emb as {kind}")
    kind = str(tables["pyarrow"].schema.field("emb").type)
    require(kind == f"fixed_size_list<element: float not null>[{dim}]", f"pyarrow sees emb as {kind}")
    if len(vectors) > 1:
        logits = seen["logits"].shape[1]
        require(keys[b"pipeline.logits"] == str(logits).encode(), f"pipeline.logits is not {logits}: {keys}")
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

    metadata(features, keys)
    nearest_neighbours(features, seen, dim)
    hugging_face(features, seen, vectors)
    in_lance(features, seen, vectors)
    documented(artifact, seen["id"][0], dim)


def metadata(features, keys):
    """What made the table, read with SQL."""
    rows = duckdb.sql(f"""
        select decode(key), decode(value) from parquet_kv_metadata('{features}/part-00000.parquet')
        where decode(key) like 'pipeline.%'
        """).fetchall()
    expected = {key.decode(): value.decode() for key, value in keys.items() if key.startswith(b"pipeline.")}
    require(dict(rows) == expected and len(rows) >= 8, f"duckdb sees the metadata {rows}, pyarrow {expected}")
    print(f"ok duckdb reads {len(rows)} keys of metadata")


def hugging_face(features, seen, vectors):
    """The same rows in Hugging Face's datasets, vectors as arrays of one shape and type."""
    data = datasets.load_dataset("parquet", data_files=f"{features}/*.parquet", split="train", cache_dir=WORK.name)
    require(data["id"][:] == seen["id"], "datasets sees other ids")
    for name in vectors:
        length = seen[name].shape[1]
        kind = data.features[name]
        require((kind.length, kind.feature.dtype) == (length, "float32"), f"datasets sees {name} as {kind}")
        found = data.with_format("numpy")[:][name]
        require(found.dtype == np.float32 and np.array_equal(found, seen[name]), f"datasets sees other {name}")
    print(f"ok datasets {datasets.__version__}: {data.num_rows} rows, {data.features['emb']}")


def in_lance(features, seen, vectors):
    """The same rows in a Lance dataset made of them, which finds nearest neighbours by itself."""
    data = lance.write_dataset(pq.read_table(features), f"{WORK.name}/imported.lance")
    table = data.to_table()
    require(table["id"].to_pylist() == seen["id"], "lance sees other ids")
    for name in vectors:
        length = seen[name].shape[1]
        kind = data.schema.field(name).type
        require((kind.list_size, str(kind.value_type)) == (length, "float"), f"lance sees {name} as {kind}")
        found = table[name].combine_chunks().flatten().to_numpy().reshape(-1, length)
        require(np.array_equal(found, seen[name]), f"lance sees other {name}")
    query = {"column": "emb", "q": seen["emb"][0], "k": 3, "metric": "cosine"}
    nearest = data.to_table(columns=["id", "_distance"], nearest=query)["_distance"].to_numpy()
    emb = seen["emb"].astype(np.float64)
    lengths = np.linalg.norm(emb, axis=1)
    expected = np.sort(1 - emb @ emb[0] / np.maximum(lengths * lengths[0], 1e-300))[:3]
    require(np.allclose(nearest, expected, atol=1e-5), f"lance finds the distances {nearest}, numpy {expected}")
    print(f"ok lance {lance.__version__}: {data.count_rows()} rows, {data.schema.field('emb').type}")


def documented(artifact, photo, dim):
    """Runs the one-liners of the documentation as they stand there, on this artifact, its length and one of its photos."""
    project = pathlib.Path(__file__).parents[2]
    for page in ["README.md", "crates/precompute/README.md"]:
        text = (project / page).read_text()
        lines = re.findall(r'^ +(duckdb|python3) -c "(.*)"$', text, re.MULTILINE)
        require(len(lines) >= 3, f"{page} has {len(lines)} one-liners, expected 3")
        os.chdir(tempfile.mkdtemp(dir=WORK.name))  # One leaves a folder behind.
        for tool, line in lines:
            line = re.sub(r"out/\w+/precompute", lambda _: artifact, line)
            line = line.replace("valid/cats/cat.1.jpg", photo.replace("'", "''")).replace("[1024]", f"[{dim}]")
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
