"""Writes labels_by_pandas.parquet beside itself, with pandas' own settings (snappy). Needs pandas and pyarrow."""

from pathlib import Path

import pandas as pd

table = pd.DataFrame(
    {
        "path": ["a.jpg", "b c.jpg", "é.jpg"],
        "label": pd.Categorical(["cat", "dog", None]),
        "fold": [3, 0, 3],
        "score": [0.5, 0.25, 0.125],
    },
    index=["x", "y", "z"],
)
table.to_parquet(Path(__file__).with_suffix(".parquet"))
