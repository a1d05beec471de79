"""Opens history.parquet of a training stage's artifact in other tools.

    python history.py out/quickstart/head
"""

import duckdb
import numpy as np

from readers import artifact_argument, as_written, column, open_everywhere, require

COLUMNS = ["stage", "phase", "epoch", "step", "lr", "train_loss", "valid_loss", "accuracy", "seconds"]


def main():
    artifact, expected = artifact_argument("TRAINING")
    history = f"{artifact}/history.parquet"
    tables = open_everywhere(history)
    seen = {name: column(tables["pyarrow"], name) for name in COLUMNS}
    for reader, table in tables.items():
        rates = table["lr"].to_pylist() if hasattr(table["lr"], "to_pylist") else table["lr"].to_list()
        require([list(map(float, r)) for r in rates] == seen["lr"], f"{reader} sees other rates: {rates}")
        for name in COLUMNS:
            if name != "lr":
                require(column(table, name) == seen[name], f"{reader} and pyarrow see different values in {name}")
    print(f"ok {len(seen['step'])} rows, {len(COLUMNS)} columns, the same in {', '.join(tables)}")
    if expected:
        as_written(seen, expected)

    best = duckdb.sql(f"select epoch, accuracy from '{history}' order by accuracy desc nulls last limit 1").fetchall()
    known = [value for value in seen["accuracy"] if value is not None]
    require(not known or np.isclose(best[0][1], max(known)), f"duckdb finds {best}, expected {max(known, default=None)}")
    print(f"ok duckdb finds the best epoch: {best}")


if __name__ == "__main__":
    main()
