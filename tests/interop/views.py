"""Opens views.parquet of an augment stage's artifact in other tools.

    python views.py out/quickstart/augment
"""

import json

import duckdb
import pyarrow.parquet as pq

from readers import artifact_argument, as_written, column, open_everywhere, require, same_everywhere


def main():
    artifact, expected = artifact_argument("AUGMENT")
    views = f"{artifact}/views.parquet"
    tables = open_everywhere(views)
    columns = pq.read_schema(views).names
    require(columns[:2] == ["id", "view"], f"the first columns are {columns[:2]}")
    seen = same_everywhere(tables, columns)
    if expected:
        as_written(seen, expected)

    policy = pq.read_metadata(views).metadata.get(b"pipeline.policy")
    require((policy is None) == (len(columns) == 2), f"policy {policy} beside the columns {columns}")
    steps = [] if policy is None else [name for step in json.loads(policy)["steps"] for name in step]
    print(f"ok the policy's steps: {steps}")
    per_photo = duckdb.sql(f"select min(n), max(n) from (select count(*) as n from '{views}' group by id) as photos").fetchall()[0]
    plain = sum(view == 0 for view in column(tables["pyarrow"], "view"))
    print(f"ok duckdb finds {per_photo[0]} to {per_photo[1]} views a photo, {plain} plain ones")


if __name__ == "__main__":
    main()
