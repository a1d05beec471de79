"""Opens predictions.parquet of an evaluate artifact in other tools.

    python predictions.py out/quickstart/evaluate
"""

import json

import duckdb
import numpy as np
import pyarrow.parquet as pq

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = [
    "id", "split", "label", "label_id", "model", "mode",
    "predicted", "predicted_id", "confidence", "loss", "probs",
]  # fmt: skip


def main():
    artifact, expected = artifact_argument("EVALUATE")
    predictions = f"{artifact}/predictions.parquet"
    seen = same_everywhere(open_everywhere(predictions), COLUMNS, vectors=["probs"])
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
