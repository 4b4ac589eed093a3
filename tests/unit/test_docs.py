"""The documentation says what the code does: its tables, links, examples and the names it mentions are checked."""

from __future__ import annotations

import ast
import gzip
import importlib
import io
import json
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

from pipeline import dead_letter_options, record_options, worker_pool
from pipeline.check import options as check_options
from pipeline.memory import peak_bytes
from pipeline.options import Settings, options_markdown_table
from tests.builders import a_delivery, an_object_ref
from tests.markdown import Page, blocks, codes, rows
from transforms.contents import Fetched
from transforms.dead_letters import dead_letter_document
from transforms.failures import DEFAULT_FATES, EXCUSED_BY_OUTAGE, OUTSIDE_KINDS, CorruptGzipError, Fate, FinishedKind
from transforms.processing import Processor
from transforms.records import Failure, ObjectRef, Result
from transforms.settings import MIB, ProcessSettings, ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
README = Page(ROOT / "README.md")
WRITE_A_FUNCTION = Page(ROOT / "docs" / "how-to" / "write-a-function.md")
FAILURES = Page(ROOT / "docs" / "failures.md")
ARCHITECTURE = Page(ROOT / "docs" / "architecture.md")
PAGES = [
    README,
    *(Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))),
    *(Page(ROOT / name) for name in ("CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md")),
    *(
        Page(ROOT / "deploy" / name / "README.md") for name in ("docker", "flink", "spark")
    ),  # test_deploy_pages.py: others
]
OF_OTHERS = {
    *("--runner", "--direct_num_workers", "--help", "--prism_location"),  # Beam's
    *("--job_endpoint", "--environment_type", "--environment_config"),  # Beam's, for a cluster
    *("--streaming", "--parallelism", "--savepoint_path", "--update"),  # Beam's, on clusters
    *("--checkpointing_interval", "--max_bundle_time_mills", "--shutdown_sources_after_idle_ms"),  # the same, of Flink
    *("--spark_master_url", "--spark_job_server_jar", "--spark-master-url", "--job-host"),  # the same, of Spark
    *("--project", "--region", "--temp_location", "--sdk_container_image", "--sdk_location"),  # the same, of Dataflow
    *("--num_workers", "--autoscaling_algorithm"),  # the same
    *(
        "--detach",
        "--from",
        "--stop-timeout",
        "--restart",
        "--read-only",
        "--tmpfs",
        "--cap-drop",
        "--security-opt",
        "--rm",
    ),  # of Docker
    *("--build-arg", "--network"),  # the same
    *("--example", "--keep", "--output"),  # of ./run_local.sh
    "--checkpointing_interval",  # Beam's, for Flink
    "--accept",  # of tests/replay/check.sh
    *("--only-show-errors", "--enabled", "--time"),  # of the AWS CLI and of docker
    *(
        "--endpoint-url",
        "--source-arn",
        "--queue-url",
        "--queue-name",
        "--region",
        "--attributes",
        "--bucket",
        "--notification-configuration",
    ),  # of the AWS CLI
    *(
        "--only",
        "--objects",
        "--rounds",
        "--scale",
        "--gigabytes",
        "--get_ms",
        "--sqs_ms",
        "--picture",
    ),  # the benchmark's
}
NOW = datetime(2026, 1, 15, 9, 10, 2, 123000, tzinfo=UTC)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path.relative_to(ROOT)))


def _fates() -> dict[str, str]:
    """Every kind and its fate, as the code has them."""
    failures = {kind.value: fate.value for kind, fate in DEFAULT_FATES.items()}
    return failures | {kind.value: Fate.IGNORE.value for kind in FinishedKind}


def _fates_in(table: str) -> dict[str, str]:
    """Read a table whose first column has kinds, and whose second begins with their fate."""
    pairs = [(kind, codes(fate)[0]) for kinds, fate, *_ in rows(table) if codes(fate) for kind in codes(kinds)]

    assert len(pairs) == len(dict(pairs)), "a kind has two rows"

    return dict(pairs)


def test_the_options_table_is_the_generated_one() -> None:
    """`python -c 'from pipeline.options import …; print(options_markdown_table())'` makes it."""
    _, _, rest = README.text.partition("<!-- options -->\n")
    table, end, _ = rest.partition("<!-- /options -->")

    assert end
    assert options_markdown_table().strip() == table.strip()


def test_the_fates_in_the_readme_are_those_of_the_code() -> None:
    """Word for word, no kind left out."""
    assert _fates() == _fates_in(README.section("When things fail"))


def test_the_fates_in_docs_failures_are_those_of_the_code() -> None:
    """Word for word, no kind left out."""
    assert _fates() == _fates_in(FAILURES.section("Kinds and fates"))


def test_docs_failures_explains_every_fate() -> None:
    """The words that `--fate` takes."""
    explained = [codes(row[0]) for row in rows(FAILURES.section("The three fates"))]

    assert {fate.value for fate in Fate} == {fate for fates in explained for fate in fates}


def test_what_the_outage_guard_watches_is_what_the_docs_say() -> None:
    """In the readme's table, and in the paragraph about the guard."""
    pausing = [kinds for kinds, fate in rows(README.section("When things fail")) if "outage guard" in fate]
    paragraph = re.search(r"are watched:(.*?)\. They", FAILURES.section("The outage guard"), re.DOTALL)

    assert paragraph
    assert sorted(EXCUSED_BY_OUTAGE) == sorted(codes(pausing[0]))
    assert sorted(OUTSIDE_KINDS) == sorted(codes(paragraph.group(1)))


@every_page
def test_every_relative_link_leads_somewhere(page: Page) -> None:
    """To a file that is there, and a heading in it. Line numbers move, so no link names one."""
    for text, target in page.links():
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = page.path.parent / file if file else page.path

        assert path.exists(), f"[{text}]({target})"
        assert not anchor or anchor in Page(path).anchors(), f"[{text}]({target})"


@every_page
def test_every_test_that_a_page_names_exists(page: Page) -> None:
    """A guarantee without its test is a promise."""
    for text, target in page.links():
        if text.startswith("test_") and not text.endswith(".py"):
            source = (page.path.parent / target).read_text(encoding="utf-8")

            assert re.search(rf"\bdef {text}\(", source), f"{target} has no {text}"


def test_every_guarantee_names_its_test() -> None:
    """One line each."""
    guarantees = re.findall(r"^- .*?(?=^- |\Z|^$)", README.section("Guarantees"), re.DOTALL | re.MULTILINE)

    assert len(guarantees) >= 8
    for guarantee in guarantees:
        assert "](tests/" in guarantee, guarantee


@every_page
def test_nothing_is_left_to_be_filled_in(page: Page) -> None:
    """Placeholders are for the time of writing."""
    for word in ("TODO", "TBD", "FIXME", "@@", "XXX"):
        assert word not in page.text


@every_page
def test_every_option_that_a_page_names_exists(page: Page) -> None:
    """Renaming an option renames it everywhere."""
    ours = set(re.findall(r"--[a-z0-9_]+", options_markdown_table()))
    commands = (check_options, dead_letter_options, record_options, worker_pool)
    ours |= {option.flag for module in commands for option in module.OWN.values()}
    prose = re.sub(r"^ *```bash\n.*?^ *```$", "", page.text, flags=re.DOTALL | re.MULTILINE)

    named = set(re.findall(r"(?<![\w\-#])--[a-z][a-z0-9_-]*[a-z0-9]", prose))

    assert set() == named - ours - OF_OTHERS


def test_every_module_has_its_place_in_docs_architecture() -> None:
    """So the map is complete; a new module adds its line."""
    mapped = {target for _, target in ARCHITECTURE.links()}
    modules = [
        f"../{path.relative_to(ROOT)}"
        for folder in ("pipeline", "transforms")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "__init__.py"
    ]

    assert [] == [module for module in modules if module not in mapped]


def test_the_dead_letter_in_docs_failures_has_the_fields_of_a_real_one() -> None:
    """And the table under it explains each."""
    (example,) = blocks(FAILURES.section("Anatomy of a dead letter"), "json")
    explained = [field for row in rows(FAILURES.section("Anatomy of a dead letter")) for field in codes(row[0])]
    real = json.loads(dead_letter_document(Failure.of(an_object_ref(), CorruptGzipError("no")), failed_at=NOW))
    shown = json.loads(example)

    assert list(real) == list(shown)
    assert list(real["reference"]) == list(shown["reference"])
    assert sorted(real) == sorted(explained)


def test_the_memory_in_docs_architecture_is_what_the_start_up_check_computes() -> None:
    """With the defaults, and the parts add up."""
    cells = [row[2] for row in rows(ARCHITECTURE.section("Memory of a process"))][1:]
    *parts, total = (int(cell.removesuffix(" MiB").replace(",", "")) for cell in cells)
    settings = Settings(ReceiveSettings(queue_url="http://localhost/1/queue"))

    assert peak_bytes(settings) == total * MIB
    assert sum(parts) == total


# ── troubleshooting


def _sentences(tree: ast.AST) -> Iterator[str]:
    """Yield a pattern for each sentence in the code: what is put in at run time may be anything."""
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield ".*".join(re.escape(text) for text in re.split(r"%[-\w.]*[sdgf]", node.value))


def _is_said(line: str, sentences: list[re.Pattern[str]]) -> bool:
    said = re.sub(r"^[A-Z]+ +", "", line)
    return any(sentence.search(said) for sentence in sentences)


def test_every_line_in_docs_troubleshoot_is_one_that_the_code_says() -> None:
    """Word for word, so that a search for it finds the page."""
    files = [file for folder in ("pipeline", "transforms") for file in sorted((ROOT / folder).rglob("*.py"))]
    texts = {text for file in files for text in _sentences(ast.parse(file.read_text(encoding="utf-8")))}
    long = (text for text in texts if len(text.replace(".*", "")) >= 12 and " " in text)
    sentences = [re.compile(rf"(^|: |  ){sentence}($|; )") for sentence in long]  # once: they are many
    page = Page(ROOT / "docs" / "how-to" / "troubleshoot.md")
    shown = [line for block in blocks(page.text, "output") for line in block.splitlines()]

    assert len(shown) >= 20
    assert [] == [line for line in shown if not _is_said(line, sentences)]


# ── the code in the readme


def _readme_module(name: str, directory: Path, page: Page = README) -> None:
    """Save the block that calls itself `# name.py`."""
    (block,) = (b for b in blocks(page.text, "python") if b.startswith(f"# {name}.py\n"))
    (directory / f"{name}.py").write_text(block, encoding="utf-8")


def _process(processor: str, ref: ObjectRef, content: bytes) -> dict[str, Any]:
    made = Processor(ProcessSettings(processor=processor), clock=lambda: NOW)
    try:
        outcome = made.process(Fetched(ref, content, size=len(content)))
    finally:
        made.close()
    assert isinstance(outcome, Result)
    if outcome.rows is not None:
        outcome.rows.close()
    document: dict[str, Any] = json.loads(outcome.document)
    return document


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user keeps modules, and starts the job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_function_in_the_readme_gives_the_result_in_the_readme(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the load balancer log that the quick start uploads."""
    _readme_module("my_logs", directory)
    (example,) = blocks(README.section("Your code goes here"), "json")
    shown = json.loads(example)
    source = shown["source"]
    log = _sample(source["key"], directory, monkeypatch)
    ref = an_object_ref(bucket=source["bucket"], key=source["key"], etag=source["etag"])

    document = _process("my_logs:errors", ref, gzip.decompress(log))

    assert shown == document


def _sample(key: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Answer an object that the quick start uploads."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    (log,) = (log for log in importlib.import_module("sample_logs").samples() if log.key == key)
    return bytes(log.body)


def test_the_function_in_docs_migrate_from_lambda_counts_what_its_handler_counted(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the same log: the expression of the handler, and the function."""
    _readme_module("my_handler", directory, Page(ROOT / "docs" / "how-to" / "migrate-from-lambda.md"))
    log = gzip.decompress(_sample("alb/2026/01/15/web_0905Z.log.gz", directory, monkeypatch))

    document = _process("my_handler:failed", an_object_ref(), log)

    assert sum(b" 502 " in line for line in log.splitlines()) == document["failed"] > 0


def test_the_rows_in_docs_write_a_function_are_those_of_its_generator(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the orders that the quick start uploads."""
    _readme_module("my_rows", directory, WRITE_A_FUNCTION)
    (example,) = blocks(WRITE_A_FUNCTION.section("Rows and files"), "json")
    shown = json.loads(example)
    source = shown["source"]
    ref = an_object_ref(bucket=source["bucket"], key=source["key"], etag=source["etag"])

    document = _process("my_rows:large_orders", ref, _sample(source["key"], directory, monkeypatch))

    assert shown == document
    assert shown["rows"]["count"] > 0


def test_the_file_in_docs_write_a_function_is_parquet(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another program reads it."""
    _readme_module("my_tables", directory, WRITE_A_FUNCTION)
    made = Processor(ProcessSettings(processor="my_tables:parquet"))

    outcome = made.process(Fetched(an_object_ref(), _sample("orders/2026-01-15.jsonl", directory, monkeypatch), size=1))

    assert isinstance(outcome, Result)
    assert outcome.rows is not None
    table = parquet.read_table(io.BytesIO(outcome.rows.rewound().read()))
    outcome.rows.close()
    made.close()
    assert (120, json.loads(outcome.document)["columns"]) == (table.num_rows, table.num_columns)


def test_the_class_in_the_readme_loads_a_database(directory: Path) -> None:
    """Twice the same object: the rows are there once."""
    _readme_module("my_orders", directory)
    content = b'{"order": 1, "cents": 100}\n{"order": 2, "cents": 250}\n'

    first = _process("my_orders:Load", an_object_ref(), content)
    second = _process("my_orders:Load", an_object_ref(delivery=a_delivery(receive_count=2)), content)
    database = sqlite3.connect(directory / "orders.db")
    stored = database.execute("select number, cents from orders order by number").fetchall()
    database.close()

    assert (2, 2) == (first["orders"], second["orders"])
    assert [(1, 100), (2, 250)] == stored
