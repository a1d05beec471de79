"""Opens predictions.parquet of an evaluate artifact in other tools.

    python predictions.py out/quickstart/evaluate
"""

import json

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = [
    "id", "split", "label", "label_id", "model", "mode",
    "predicted", "predicted_id", "confidence", "loss", "probs",
]  # fmt: skip


def view_probs(table):
    """The column `view_probs` as lists of lists, from any reader."""
    if isinstance(table, (pa.Table, pl.DataFrame)):
        values = table["view_probs"]
        return values.to_pylist() if isinstance(table, pa.Table) else values.to_list()
    return [None if views is None else [list(map(float, view)) for view in views] for views in table["view_probs"]]


def views_everywhere(tables, seen):
    """Checks that each reader sees the same probabilities of views, null in mode plain, with `probs` as their mean."""
    views = view_probs(tables["pyarrow"])
    for reader, table in tables.items():
        require(view_probs(table) == views, f"{reader} and pyarrow see different values in view_probs")
    for mode, row, probs in zip(seen["mode"], views, seen["probs"]):
        require((row is None) == (mode == "plain"), f"view_probs is {row} in mode {mode}")
        require(row is None or np.allclose(np.mean(row, axis=0), probs, atol=1e-6), f"the mean of {row} is not {probs}")
    print(f"ok probabilities of views, the same in {', '.join(tables)}")
    return views


def main():
    artifact, expected = artifact_argument("EVALUATE")
    predictions = f"{artifact}/predictions.parquet"
    tables = open_everywhere(predictions)
    has_views = "view_probs" in tables["pyarrow"].column_names
    columns = COLUMNS + ["view_probs"] * has_views
    seen = same_everywhere(tables, columns, vectors=["probs"], unlike=["view_probs"])
    if has_views:
        seen["view_probs"] = views_everywhere(tables, seen)
    if expected:
        as_written(seen, expected)

    classes = json.loads(pq.read_metadata(predictions).metadata[b"pipeline.classes"])
    require(seen["probs"].shape[1] == len(classes), f"{seen['probs'].shape[1]} probabilities for {classes}")
    require([classes[i] for i in seen["predicted_id"]] == seen["predicted"], "predicted is not classes[predicted_id]")
    confidence = np.array(seen["confidence"], dtype=np.float32)
    require(np.allclose(confidence, seen["probs"].max(axis=1), atol=1e-6), "confidence is not the largest probability")
    print(f"ok {len(classes)} classes, confidence is the probability of the predicted one")

    right = duckdb.sql(f"""
        select model, mode, avg((predicted = label)::INT) as accuracy
        from '{predictions}' where label is not null group by all order by all
        """).fetchall()
    keys = set(zip(seen["model"], seen["mode"]))
    require(len(right) == len(keys) or None in seen["label"], f"found {right}")
    print(f"ok duckdb finds the accuracy of each model and mode: {right}")


if __name__ == "__main__":
    main()
