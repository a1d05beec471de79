"""Opens sweep.parquet, a plain table, in other tools.

    python plain.py FOLDER
"""

import duckdb

from readers import artifact_argument, as_written, open_everywhere, require, same_everywhere

COLUMNS = ["combination", "head.lr", "seed", "finetune.lr", "evaluate.head.accuracy", "is_best"]


def main():
    folder, expected = artifact_argument("SWEEP")
    sweep = f"{folder}/sweep.parquet"
    seen = same_everywhere(open_everywhere(sweep), COLUMNS)
    if expected:
        as_written(seen, expected)

    query = f"""select "head.lr" from '{sweep}' order by "evaluate.head.accuracy" desc nulls last limit 1"""
    best = duckdb.sql(query).fetchall()[0][0]
    wanted = [lr for lr, is_best in zip(seen["head.lr"], seen["is_best"]) if is_best]
    require(best in wanted, f"duckdb finds the best rate {best}, expected one of {wanted}")
    print(f"ok duckdb finds the best rate, {best}")


if __name__ == "__main__":
    main()
