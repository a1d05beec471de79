"""Opens lr_curve.parquet of the learning-rate finder in other tools.

    python lr_curve.py FOLDER
"""

import duckdb

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = ["step", "lr", "loss", "smoothed"]


def main():
    artifact, expected = artifact_argument("CURVE")
    curve = f"{artifact}/lr_curve.parquet"
    seen = same_everywhere(open_everywhere(curve), COLUMNS)
    if expected:
        as_written(seen, expected)

    lowest = duckdb.sql(f"select lr from '{curve}' order by smoothed limit 1").fetchall()[0][0]
    wanted = min(zip(seen["smoothed"], seen["lr"]))[1]
    require(lowest == wanted, f"duckdb finds the lowest loss at {lowest}, expected {wanted}")
    print(f"ok duckdb finds the lowest loss at {lowest}")


if __name__ == "__main__":
    main()
