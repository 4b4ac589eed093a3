"""The examples' processors over contents, and what their pages say of them."""

from __future__ import annotations

import ast
import gzip
import io
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import access_logs
import call_api
import csv_totals
import pytest
import sample_access_logs
import to_parquet
import urllib3
from catalogue import EXAMPLES, listing
from local_api import TOKEN, LocalApi
from local_api import api as an_api
from pyarrow import parquet

from pipeline.options import options_markdown_table
from tests.builders import an_object_ref
from transforms.contents import Fetched
from transforms.failures import CorruptGzipError
from transforms.processing import check_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES_DIRECTORY = Path(__file__).parents[2] / "examples"
PAGES = sorted(set(EXAMPLES) - {"quickstart"})
AWS_LOGS = {
    folder: f"AWSLogs/123456789012/{folder}/us-east-1/2026/01/15/a.gz"
    for folder in ("elasticloadbalancing", "CloudTrail", "vpcflowlogs")
}


def a_content(content: bytes | Callable[[], Iterator[bytes]], key: str = "orders/a.jsonl") -> Fetched:
    """Build what a processor is given: bytes, or a stream."""
    return Fetched(an_object_ref(key=key), content, size=1)


def json_lines(*rows: object) -> bytes:
    """Encode a JSON document a line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


# ── the pages


@pytest.mark.parametrize("name", PAGES)
def test_the_command_of_each_page_is_one_that_the_job_takes(name: str) -> None:
    """It names the page's own processor, and options that there are."""
    page = ast.get_docstring(ast.parse((EXAMPLES_DIRECTORY / f"{name}.py").read_text(encoding="utf-8"))) or ""
    (command,) = (line for line in page.replace("\\\n", "").splitlines() if "python -m pipeline --runner" in line)
    options = dict(word.partition("=")[::2] for word in shlex.split(command) if word.startswith("--"))

    check_processor(options["--processor"])
    assert options["--processor"].startswith(f"{name}:")
    assert EXAMPLES[name].options[0] == f"--processor=examples.{options['--processor']}"
    assert set() == {option for option in options if f"`{option}`" not in options_markdown_table()}


@pytest.mark.parametrize("name", PAGES)
def test_the_processor_comes_first_on_its_page_and_has_at_most_forty_lines(name: str) -> None:
    """A page is for copying."""
    source = (EXAMPLES_DIRECTORY / f"{name}.py").read_text(encoding="utf-8")
    first = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef))

    assert EXAMPLES[name].options[0].endswith(f":{first.name}")
    assert (first.end_lineno or 0) - first.lineno + 1 <= 40


def test_the_index_has_a_line_for_every_example() -> None:
    """With the command that runs it; `./run_local.sh --help` names it too."""
    index = (EXAMPLES_DIRECTORY / "README.md").read_text(encoding="utf-8")
    usage = (EXAMPLES_DIRECTORY.parent / "run_local.sh").read_text(encoding="utf-8")

    for name in PAGES:
        assert f"[{name}.py]({name}.py)" in index
        assert f"`./run_local.sh --example {name}`" in index
        assert name in usage
    assert len(EXAMPLES) == len(listing())


# ── csv_totals


def test_totals_of_csv_add_up_by_product_whatever_a_spreadsheet_puts_into_its_fields() -> None:
    """A byte order mark, CRLF, commas and line breaks within quotes, an empty line at the end."""
    text = '\ufeffproduct,quantity,cents,remark\r\nlamp,2,100,"a\r\nb"\r\n"big, soft",1,50,\r\nlamp,1,1,\r\n\r\n'

    answer = csv_totals.totals(a_content(text.encode(), "orders/a.csv"))

    assert {"orders": 3, "cents": 251, "best": {"lamp": 201, "big, soft": 50}} == answer


def test_totals_of_json_lines_tell_the_three_best_products() -> None:
    """Of four."""
    rows = [{"product": name, "quantity": 1, "cents": cents} for cents, name in enumerate("abcd", start=1)]

    answer = csv_totals.totals(a_content(json_lines(*rows)))

    assert {"orders": 4, "cents": 10, "best": {"d": 4, "c": 3, "b": 2}} == answer


@pytest.mark.parametrize("key", ["a.csv", "a.jsonl"])
def test_totals_of_nothing_are_none(key: str) -> None:
    """An empty file is no error."""
    assert {"orders": 0, "cents": 0, "best": {}} == csv_totals.totals(a_content(b"", key))


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("a.csv", "lamp,1"),
        ("a.csv", "lamp,1,12,50"),
        ("a.csv", "lamp,one,12"),
        ("a.csv", 'lamp,1,"12'),
        ("a.jsonl", '{"product": "lamp", "quantity": 1}'),
        ("a.jsonl", '{"product": "lamp", "quantity": 2.5, "cents": 1}'),
        ("a.jsonl", '{"product": [], "quantity": 1, "cents": 1}'),
        ("a.jsonl", "[]"),
        ("a.jsonl", "no JSON"),
    ],
)
def test_a_wrong_row_fails_its_file_and_is_named_by_its_number(key: str, row: str) -> None:
    """Too few fields, too many, no number, no end of a quote, no order at all."""
    good = "product,quantity,cents\nlamp,1,2" if key == "a.csv" else '{"product": "lamp", "quantity": 1, "cents": 2}'

    with pytest.raises(ValueError, match="row 2 is no order"):
        csv_totals.totals(a_content(f"{good}\n{row}\n".encode(), key))


def test_totals_hold_one_row_of_a_stream_at_a_time() -> None:
    """The next chunk is drawn when the row before it is counted."""
    drawn: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            drawn.append(number)
            yield json_lines({"product": "lamp", "quantity": 1, "cents": number})

    rows = csv_totals.json_rows(a_content(chunks))
    next(rows)

    assert len(drawn) <= 2


# ── access_logs


@pytest.mark.parametrize("sample", sample_access_logs.samples()[:3], ids=lambda sample: sample.remark)
def test_the_summary_of_each_kind_of_log_is_the_known_one(sample: Any) -> None:  # noqa: ANN401 - a module of the path
    """Counted by hand."""
    assert sample.fields == access_logs.summary(a_content(gzip.decompress(sample.body), sample.key))


@pytest.mark.parametrize(
    ("folder", "content"),
    [
        ("elasticloadbalancing", b"2026-01-15T09:05:00Z my-classic-balancer 1.2.3.4:5 - -1 -1 -1 503 0 0 0\n"),
        ("elasticloadbalancing", b"Enable AccessLog for ELB: " + b"x " * 20),
        ("CloudTrail", b"no JSON"),
        ("vpcflowlogs", b"version account-id\n"),
        ("vpcflowlogs", b"action dstport bytes\nACCEPT 443\n"),
        ("vpcflowlogs", b""),
    ],
)
def test_what_is_not_of_its_log_is_an_error(folder: str, content: bytes) -> None:
    """Never a summary of nothing."""
    with pytest.raises(ValueError, match=r".+"):
        access_logs.summary(a_content(content, AWS_LOGS[folder]))


def test_a_key_of_no_known_log_is_an_error_that_names_those_that_are() -> None:
    """CloudTrail's digests have a folder of another name."""
    with pytest.raises(ValueError, match="elasticloadbalancing, CloudTrail, vpcflowlogs"):
        access_logs.summary(a_content(b"{}", "AWSLogs/123456789012/CloudTrail-Digest/a.json.gz"))


def test_a_flow_log_is_read_by_its_header_whatever_its_columns_are() -> None:
    """The owner of a flow log chooses them, and their order."""
    log = b"bytes action dstport\n100 ACCEPT 443\n7 REJECT 22\n- - -\n"

    answer = access_logs.flow_log(a_content(log))

    told = {"records": 3, "failed": 1, "without_traffic": 1, "rejected_ports": {"22": 1}, "accepted_bytes": 100}
    assert told == answer


# ── to_parquet


def an_order(number: int, **others: object) -> dict[str, object]:
    """Build a row of the example's schema."""
    return {"order": number, "customer": "Zoë", "cents": 5, "at": "2026-01-15T09:00:00Z", **others}


def test_json_lines_become_one_parquet_file_with_a_row_group_for_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pieces come as they are written, and are a file for any reader."""
    monkeypatch.setattr(to_parquet, "BLOCK_BYTES", 200)
    file = to_parquet.to_parquet(a_content(json_lines(*map(an_order, range(10)))))

    pieces = list(file.chunks)
    read = parquet.ParquetFile(io.BytesIO(b"".join(pieces)))

    assert ".parquet" == file.suffix
    assert {"orders": 10, "row_groups": 4} == file.fields
    assert (4, 5) == (read.num_row_groups, len(pieces))
    assert list(range(10)) == read.read()["order"].to_pylist()
    assert to_parquet.SCHEMA == read.schema_arrow


def test_a_field_that_a_line_lacks_is_null_and_no_lines_make_an_empty_table() -> None:
    """Of the same schema."""
    lacking = to_parquet.to_parquet(a_content(b'{"order": 1}'))
    none = to_parquet.to_parquet(a_content(b""))

    (row,) = parquet.read_table(io.BytesIO(b"".join(lacking.chunks))).to_pylist()
    empty = parquet.read_table(io.BytesIO(b"".join(none.chunks)))

    assert {"order": 1, "customer": None, "cents": None, "at": None} == row
    assert (0, to_parquet.SCHEMA) == (empty.num_rows, empty.schema)


@pytest.mark.parametrize("line", [b'{"order": 1, "discount": 5}', b'{"order": 1.5}', b'{"at": "today"}', b"[]", b"{"])
def test_a_line_of_another_schema_is_an_error(line: bytes) -> None:
    """Another field, another type, no object, no JSON."""
    file = to_parquet.to_parquet(a_content(json_lines(an_order(1)) + line))

    with pytest.raises(to_parquet.pa.ArrowInvalid):
        list(file.chunks)


def test_a_line_longer_than_a_block_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor longer than pyarrow's own block of a MiB."""
    monkeypatch.setattr(to_parquet, "BLOCK_BYTES", 10)
    name = "x" * 3_000_000

    file = to_parquet.to_parquet(a_content(json_lines(an_order(1, customer=name))))

    assert [name] == parquet.read_table(io.BytesIO(b"".join(file.chunks)))["customer"].to_pylist()


def test_an_error_of_the_content_comes_through_the_writer() -> None:
    """So that nothing is stored."""

    def chunks() -> Iterator[bytes]:
        yield json_lines(an_order(1))
        raise CorruptGzipError("CRC check failed")

    with pytest.raises(CorruptGzipError):
        list(to_parquet.to_parquet(a_content(chunks)).chunks)


# ── call_api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Serve the example's API; answers what it has seen."""
    monkeypatch.setattr("local_api.ANSWERS_AFTER_S", 0)
    with an_api(tmp_path) as beside:
        for name, value in beside.environment.items():
            monkeypatch.setenv(name, value)
        yield beside.look
    call_api.CALLS.clear()


def test_a_refused_call_raises_and_the_next_one_tells_what_the_api_said(api: Callable[[], dict[str, Any]]) -> None:
    """The queue brings the next one."""
    with pytest.raises(OSError, match="the API answered 503 Service Unavailable"):
        call_api.review(a_content(b"so good"))

    assert {"review": {"words": 2, "unhappy": False}} == call_api.review(a_content(b"so good"))
    assert {"calls answered": 1, "refused with 503": 1, "most at once": 1} == api()


def test_a_wrong_token_raises_and_is_not_told(
    api: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the function raises is in the dead letter."""
    monkeypatch.setenv("API_TOKEN", "not-" + TOKEN)

    with pytest.raises(OSError, match=r"^the API answered 401 Unauthorized$"):
        call_api.review(a_content(b"so good"))


def test_nobody_there_raises_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a retry of its own."""
    with LocalApi() as server:
        monkeypatch.setenv("API_URL", server.url)
    monkeypatch.setenv("API_TOKEN", TOKEN)

    with pytest.raises(urllib3.exceptions.NewConnectionError):
        call_api.review(a_content(b"so good"))


def test_every_wait_of_a_call_has_a_limit() -> None:
    """A call that hangs holds a thread."""
    timeout = call_api.CALLS.connection_pool_kw["timeout"]

    assert timeout.connect_timeout < 60
    assert timeout.read_timeout < 60
