"""Opens images.parquet of an ingest artifact in other tools.

    python images.py out/quickstart/ingest
"""

import duckdb

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = [
    "id", "split", "label", "label_id", "width", "height", "aspect_ratio",
    "format", "orientation", "bytes", "digest", "phash", "mean_red", "mean_green", "mean_blue", "is_grey",
    "verdict", "reason",
]  # fmt: skip


def main():
    artifact, expected = artifact_argument("INGEST")
    images = f"{artifact}/images.parquet"
    seen = same_everywhere(open_everywhere(images), COLUMNS)
    if expected:
        as_written(seen, expected)

    ids = [name.encode() for name in seen["id"]]
    require(ids == sorted(set(ids)), "ids are not sorted, or not unique")
    print("ok rows ascend by id")

    bad = duckdb.sql(f"select reason, count(*) from '{images}' where verdict = 'bad' group by all").fetchall()
    require(sum(count for _, count in bad) == seen["verdict"].count("bad"), f"found {bad}")
    print(f"ok duckdb counts what was set aside: {bad}")


if __name__ == "__main__":
    main()
