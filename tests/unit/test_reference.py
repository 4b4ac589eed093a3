"""Reference pages made of the code."""

from __future__ import annotations

import re
from pathlib import Path

from docs_site.reference import RECORDS, flags, options_page, records_page
from pipeline.option_table import OPTIONS
from transforms.records import Delivery, Door

ROOT = Path(__file__).resolve().parents[2]


def _section(page: str, title: str) -> str:
    _, _, rest = page.partition(f"## {title}\n")
    return rest.partition("\n## ")[0]


def _first_cells(page: str, title: str) -> list[str]:
    return re.findall(r"^\| `(.+?)` \|", _section(page, title), re.MULTILINE)


def test_every_option_has_a_heading_its_default_its_bounds_and_its_variable() -> None:
    """In the order of the flow."""
    page = options_page()

    assert {option.flag for option in OPTIONS} == flags()
    assert [option.flag for option in OPTIONS] == [line[5:-1] for line in page.splitlines() if line.startswith("### ")]
    assert "*default: `10` · 0 to 20 seconds (SQS) · `SQS_PIPELINE_WAIT_TIME_S`*" in _section(page, "Receive")


def test_every_record_is_there_with_every_field_and_what_it_means() -> None:
    """As the code has them."""
    page = records_page(ROOT)
    fields = [code.partition(":")[0] for code in _first_cells(page, "Delivery")]

    assert [name for _, names in RECORDS for name in names] == [
        line[3:] for line in page.splitlines() if line.startswith("## ")
    ]
    assert list(Delivery.__dataclass_fields__) == fields
    assert [f"{door.name} = '{door}'" for door in Door] == _first_cells(page, "Door")[: len(Door)]
    assert "`ApproximateReceiveCount`: 1 for the first receive." in page


def test_what_a_function_is_given_is_there_with_its_methods() -> None:
    """Public ones, with their signatures."""
    fetched = _section(records_page(ROOT), "Fetched")

    for what in (
        "ref",
        "size",
        "lines() -> Iterator[bytes]",
        "chunks() -> Iterator[bytes]",
        "read() -> bytes",
        "error",
    ):
        assert f"| `{what}" in fetched
    assert "_first_error" not in fetched
