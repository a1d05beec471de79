"""Looks at what a run left, in polars: the photos most like one, and the mistakes that a model was surest of.

    python features.py out/CONFIG [PHOTO_ID]

Reads out/CONFIG/precompute/features/*.parquet and out/CONFIG/evaluate/predictions.parquet. Needs polars and numpy,
and memory for the features of all photos: 4 GB for a million of 1,024 numbers.
"""

import sys

import numpy as np
import polars as pl

SHOWN = 5


def neighbours(folder, photo=None):
    """The id asked for (by default the first), and the photos nearest to it by cosine of their features."""
    table = pl.scan_parquet(f"{folder}/precompute/features/*.parquet").filter(pl.col("view") == 0)
    photos = table.select("id", "split", "label", "emb").collect()
    features = photos["emb"].to_numpy()  # [N, D], float32
    norms = np.sqrt(np.einsum("nd,nd->n", features, features)).clip(1e-12)  # [N]
    photo = photo or photos["id"][0]
    found = photos["id"].index_of(photo)
    if found is None:
        sys.exit(f"{photo} is not in {folder}/precompute: its first photo is {photos['id'][0]}")
    likeness = features @ features[found] / (norms * norms[found])  # [N], -1 to 1
    near = photos.select("id", "split", "label").with_columns(cosine=likeness)
    return photo, near.filter(pl.col("id") != photo).sort("cosine", "id", descending=[True, False]).head(SHOWN)


def mistakes(folder):
    """Labelled photos whose most likely class is not their label, the surest first, of each model on plain views."""
    predictions = pl.scan_parquet(f"{folder}/evaluate/predictions.parquet")
    wrong = predictions.filter(pl.col("mode") == "plain", pl.col("label").is_not_null(), pl.col("predicted") != pl.col("label"))
    wrong = wrong.select("model", "id", "label", "predicted", "confidence")
    return wrong.sort("confidence", "model", "id", descending=[True, False, False]).head(SHOWN).collect()


def main():
    folder = sys.argv[1].rstrip("/")
    photo, near = neighbours(folder, sys.argv[2] if len(sys.argv) > 2 else None)
    print(f"most like {photo}:")
    for row in near.iter_rows(named=True):
        print(f"  {row['cosine']:.4f}  {row['id']}  ({row['split']}, {row['label']})")
    print("surest mistakes:")
    for row in mistakes(folder).iter_rows(named=True):
        print(f"  {row['confidence']:.4f}  {row['id']}  is {row['label']}, {row['model']} says {row['predicted']}")


if __name__ == "__main__":
    main()
