"""JSON Lines become Parquet, a file for each object, in memory that does not grow with it.

    python -m pipeline --runner=DirectRunner --processor=to_parquet:to_parquet --output=s3://acme-tables/orders

pyarrow comes with Beam. The file lies beside the result, which tells its name, its size and what is counted here; it is
stored whole or not at all. For large objects add --all_cores: pyarrow has threads of its own.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import json as arrow_json
from pyarrow import parquet

from transforms import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.contents import Fetched

SCHEMA = pa.schema(
    [("order", pa.int64()), ("customer", pa.string()), ("cents", pa.int64()), ("at", pa.timestamp("ms", "UTC"))]
)
"""Given, not guessed: all files of a table must have the same one. A field that a line lacks is null."""
BLOCK_BYTES = 16 * 1024 * 1024
"""JSON in memory at once, and in a row group of the file."""


def to_parquet(content: Fetched) -> File:
    """Convert one object. Raises `pyarrow.ArrowInvalid` for a line that is not JSON, or has other fields or types."""
    counted = {"orders": 0, "row_groups": 0}
    return File(".parquet", pieces(content, counted), fields=counted)


def pieces(content: Fetched, counted: dict[str, int]) -> Iterator[bytes]:
    """Yield the bytes of the file as they are written, and count."""
    written = io.BytesIO()
    with parquet.ParquetWriter(written, SCHEMA, compression="zstd") as writer:
        for block in blocks(content):
            table = arrow_json.read_json(
                io.BytesIO(block),
                read_options=arrow_json.ReadOptions(block_size=len(block)),  # a line is never cut
                parse_options=arrow_json.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error"),
            )
            writer.write_table(table)
            counted["orders"] += table.num_rows
            counted["row_groups"] += 1
            yield taken(written)
    yield taken(written)  # the footer


def blocks(content: Fetched) -> Iterator[bytes]:
    """Yield whole lines, about `BLOCK_BYTES` of them at once."""
    block = bytearray()
    for line in content.lines():
        block += line + b"\n"
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def taken(written: io.BytesIO) -> bytes:
    """Take what was written; the writer itself knows how far it is."""
    piece = written.getvalue()
    written.seek(0)
    written.truncate()
    return piece
