"""Totals of CSV or JSON Lines files, one row in memory at a time.

    python -m pipeline --runner=DirectRunner --processor=csv_totals:totals

Orders with the columns `product`, `quantity` and `cents`; the key's ending says which format. Memory is for one row and
a total for each product, whatever the file's size. A row that is wrong fails its whole file and is named by its number:
a total that leaves some out is worse than none.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.contents import Fetched


def totals(content: Fetched) -> dict[str, Any]:
    """Add up the orders of one file. Raises `ValueError` for a row that is no order."""
    rows = csv_rows(content) if ".csv" in content.ref.key else json_rows(content)
    orders, cents_of = 0, Counter[str]()
    try:
        for row in rows:
            cents_of[row["product"]] += whole_number(row["quantity"]) * whole_number(row["cents"])
            orders += 1
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"row {orders + 1:,} is no order: {type(error).__name__}: {error}") from error
    return {"orders": orders, "cents": cents_of.total(), "best": dict(cents_of.most_common(3))}


def csv_rows(content: Fetched) -> Iterator[dict[str, Any]]:
    """Yield each row by the names of the header. Quoted fields may hold line breaks; a byte order mark is no data."""
    lines = (line + b"\n" for line in content.lines())
    for row in csv.DictReader(codecs.iterdecode(lines, "utf-8-sig"), strict=True):
        if None in row:
            raise ValueError("it has more fields than the header")
        yield row


def json_rows(content: Fetched) -> Iterator[dict[str, Any]]:
    """Yield the object of each line."""
    return (json.loads(line) for line in content.lines())


def whole_number(value: object) -> int:
    """Read a number or its text; `int` alone would cut 2.5 to 2. Raises `ValueError`."""
    return int(str(value))
