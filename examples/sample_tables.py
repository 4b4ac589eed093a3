"""Orders as shops leave them in S3: CSV from a spreadsheet, JSON Lines from a program; and reviews to be judged."""

from __future__ import annotations

import json
from typing import Any

from sample import Sample, zipped

PRODUCTS = ("lamp", "chair", "table", "Teppich, groß", "shelf")


def for_totals() -> list[Sample]:
    """Answer files whose totals are known, and one with a row that is no order."""
    spreadsheet = (
        "\ufefforder,product,quantity,cents,remark\r\n"
        '1,lamp,2,1990,"to the neighbour,\r\nplease"\r\n'
        '2,"Teppich, groß",1,24900,\r\n'
        '3,lamp,1,1990,"says ""thanks"""\r\n'
    )
    broken = "order,product,quantity,cents\n1,lamp,2,1990\n2,chair,n/a,5900\n"
    orders = [
        {"order": number, "product": PRODUCTS[number * number % 5], "quantity": number % 3 + 1, "cents": 100 + number}
        for number in range(1000)
    ]
    return [
        Sample(
            "orders/berlin.csv",
            spreadsheet.encode(),
            "CSV from a spreadsheet",
            {"orders": 3, "cents": 30870, "best": {"Teppich, groß": 24900, "lamp": 5970}},
        ),
        Sample("orders/2026-01-15.jsonl.gz", zipped(_lines(orders)), "JSON Lines, gzip", _totals_of(orders)),
        Sample("orders/2026-01-16.jsonl.gz", zipped(b""), "no orders", {"orders": 0, "cents": 0, "best": {}}),
        Sample("orders/hamburg.csv", broken.encode(), "the second row is wrong", set_aside="processor_error"),
    ]


def for_loads() -> list[Sample]:
    """Answer orders by day, and the second day once more: S3 notifies twice of the same."""
    days = [_day(number) for number in range(3)]
    again = Sample(days[1].key, days[1].body, "the same once more", days[1].fields)
    return [*days, again]


def for_parquet() -> list[Sample]:
    """Answer orders by day, one of them without any, and one that has a field too many."""
    odd = b'{"order": 1, "customer": "Ada", "cents": 100, "at": "2026-01-18T00:00:00Z", "discount": 5}\n'
    return [
        *(_day(number) for number in range(3)),
        Sample("orders/2026-01-19.jsonl", b"", "no orders", {"orders": 0, "row_groups": 0}),
        Sample("orders/2026-01-18.jsonl", odd, "a field that the schema lacks", set_aside="processor_error"),
    ]


def for_reviews() -> list[Sample]:
    """Answer reviews; the local API refuses one of them at first."""
    words = ("good", "fine", "quick", "lovely", "kind", "soft", "warm", "broken", "bright", "neat", "late")
    texts = [" ".join(words[number * (step + 1) % 11] for step in range(3 + number % 5)) for number in range(32)]
    return [
        Sample(
            f"reviews/{number:02d}.txt",
            text.encode(),
            "text",
            {
                "review": {
                    "words": len(text.split()),
                    "unhappy": any(word in text for word in ("broken", "late")),
                }
            },
        )
        for number, text in enumerate(texts)
    ]


def _day(number: int) -> Sample:
    day = f"2026-01-{15 + number}"
    orders = [
        {
            "order": 1000 * number + order,
            "customer": f"Zoë {order % 7}",
            "cents": order * 137 % 9901,
            "at": f"{day}T{order // 60:02d}:{order % 60:02d}:00Z",
        }
        for order in range(120)
    ]
    return Sample(f"orders/{day}.jsonl.gz", zipped(_lines(orders)), "JSON Lines, gzip", {"orders": len(orders)})


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def _totals_of(orders: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what is known as rows, the other way round than the example does."""
    cents_of = {
        product: sum(order["quantity"] * order["cents"] for order in orders if order["product"] == product)
        for product in PRODUCTS
    }
    best = sorted((product for product in PRODUCTS if cents_of[product]), key=lambda product: -cents_of[product])
    return {
        "orders": len(orders),
        "cents": sum(cents_of.values()),
        "best": {product: cents_of[product] for product in best[:3]},
    }
