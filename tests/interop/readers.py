"""Opens a table in DuckDB, polars, pandas and pyarrow, and compares what each of them sees.

Used by the scripts beside it; not run itself. A column is a list with None for null, or, for a vector
column, a float32 array [rows, length].
"""

import json
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq


def require(condition, message):
    """Ends the script with the message unless the condition holds."""
    if not condition:
        sys.exit(f"error: {message}")


def open_everywhere(path):
    """The table at `path` (a file, or a folder of part files) in each reader, as documented."""
    files = path if path.endswith(".parquet") else f"{path}/*.parquet"
    return {
        "duckdb": duckdb.sql(f"select * from '{files}'").to_arrow_table(),
        "polars": pl.read_parquet(files),
        "pandas": pd.read_parquet(path),
        "pyarrow": pq.read_table(path),
    }


def column(table, name, vector=False):
    """One column in the same form from each reader."""
    if isinstance(table, pa.Table):
        values = table[name].combine_chunks()
        if not vector:
            return values.to_pylist()
        return values.flatten().to_numpy().reshape(len(values), -1)
    if isinstance(table, pl.DataFrame):
        return table[name].to_numpy() if vector else table[name].to_list()
    if vector:
        return np.stack(table[name])
    return [None if pd.isna(value) else value for value in table[name]]


def same_everywhere(tables, columns, vectors=(), unlike=()):
    """Checks that each reader sees the columns, their order, and the same rows and values; returns
    them, but for those `unlike` others, which the script compares itself. NaN does not occur in a
    table's nullable numbers, so pandas' NaN for null is unambiguous."""
    compared = [name for name in columns if name not in unlike]
    reference = {name: column(tables["pyarrow"], name, name in vectors) for name in compared}
    rows = len(reference[columns[0]])
    for reader, table in tables.items():
        names = list(table.column_names if isinstance(table, pa.Table) else table.columns)
        require(names == columns, f"{reader} sees the columns {names}, expected {columns}")
        for name in compared:
            found = column(table, name, name in vectors)
            require(len(found) == rows, f"{reader} sees {len(found)} rows, pyarrow {rows}")
            if name in vectors:
                require(found.dtype == np.float32, f"{reader}: {name} is {found.dtype}, expected float32")
                equal = found.shape == reference[name].shape and np.array_equal(found, reference[name])
            else:
                equal = found == reference[name]
            require(equal, f"{reader} and pyarrow see different values in {name}")
    print(f"ok {rows} rows, {len(columns)} columns, the same in {', '.join(tables)}")
    return reference


def as_written(reference, expected_path):
    """Checks the columns against a JSON list of rows: what the writer was given."""
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)
    for name, found in reference.items():
        wanted = [row[name] for row in expected]
        if isinstance(found, np.ndarray):
            equal = np.array_equal(found, np.array(wanted, dtype=np.float32))
        else:
            equal = len(found) == len(wanted) and all(map(same_number, found, wanted))
        require(equal, f"{name} is not what was written: found {found}, expected {wanted}")
    print(f"ok {len(expected)} rows as they were written")


def same_number(found, wanted):
    """Equality after rounding a float64 to the float32 that the column may hold; of lists, number by number."""
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same_number, found, wanted))
    if isinstance(found, float) and wanted is not None:
        return found == wanted or found == float(np.float32(wanted))
    return found == wanted


def artifact_argument(what):
    """The folder of an artifact, and the file of expected rows where one is given."""
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER-OF-{what} [EXPECTED.json]")
    return sys.argv[1].rstrip("/"), (sys.argv[2] if len(sys.argv) == 3 else None)
