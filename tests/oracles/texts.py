"""Writes tests/data/texts.parquet as a data set of the hub has its tables (pyarrow's defaults: Snappy, dictionaries, several row groups),
tests/data/texts_zstd.parquet with another compression, and tests/data/texts.txt, the column `text` with nothing between its rows.

    pip install pyarrow==26.0.1
    python tests/oracles/texts.py
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).parent.parent / "data"

rows = []
for row in range(200):
    rows.append("" if row % 9 == 4 else " ".join(f"w{(row * 7 + word * 5) % 31 + 1}" for word in range(1 + row % 13)) + " \n")
rows[17] = None
rows[40] = " = é → w3 = \n"
table = pa.table(
    {
        "title": pa.array([f"t{row % 3}" for row in range(len(rows))]),
        "count": pa.array(range(len(rows)), pa.int32()),
        "text": pa.array(rows),
        "pages": pa.array([[text] for text in rows]),
    }
)
pq.write_table(table, DATA / "texts.parquet", row_group_size=64)
pq.write_table(table, DATA / "texts_zstd.parquet", compression="zstd")
read = pq.read_table(DATA / "texts.parquet", columns=["text"])["text"].to_pylist()
assert read == rows
(DATA / "texts.txt").write_bytes("".join(text or "" for text in read).encode())
