"""examples/to_postgres.py against a real PostgreSQL: exactly once, whatever comes twice and whoever dies."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from local_postgres import LocalPostgres
from to_postgres import Load

from tests.builders import a_notification, an_object_ref
from tests.command import Command, until
from tests.integration.conftest import REGION, need_postgres
from transforms import aws as transforms_aws
from transforms.contents import Fetched
from transforms.failures import CorruptGzipError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 90
ROWS = 120
ORDERS = b"".join(
    json.dumps({"order": number, "customer": "Zoë", "cents": number}).encode() + b"\n" for number in range(ROWS)
)
DIES_ONCE = """
import os
import pathlib
import signal

from to_postgres import Load


class Dies(Load):
    def __call__(self, content):
        answer = super().__call__(content)  # committed
        if not (died := pathlib.Path("died")).exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """Serve a database with the example's tables."""
    need_postgres()
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory:
        postgres = LocalPostgres.start(Path(directory))
        try:
            postgres.make_tables()
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture
def database(server: LocalPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """Empty the tables, and tell the example where they are."""
    monkeypatch.setenv("DATABASE_URL", server.url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("TRUNCATE orders, loads")
        yield connection


@pytest.fixture
def load(database: psycopg.Connection[Any]) -> Iterator[Load]:
    """Make what a thread of the job has."""
    load = Load()
    yield load
    load.close()


def a_content(content: bytes | Callable[[], Iterator[bytes]] = ORDERS, **ref: str) -> Fetched:
    """Build an object's content: bytes, or a stream."""
    return Fetched(an_object_ref(**ref), content, size=1)


def counts(database: psycopg.Connection[Any]) -> tuple[int, int, int]:
    """Count the rows, the different orders, and the markers."""
    found: tuple[int, int, int] | None = database.execute(
        "SELECT count(*), count(DISTINCT number), (SELECT count(*) FROM loads) FROM orders"
    ).fetchone()
    assert found is not None
    return found


def test_the_rows_of_an_object_are_loaded_with_a_marker(load: Load, database: psycopg.Connection[Any]) -> None:
    """Every row, and how many."""
    assert {"orders": ROWS} == load(a_content())
    assert (ROWS, ROWS, 1) == counts(database)
    assert ("Zoë", 7) == database.execute("SELECT customer, cents FROM orders WHERE number = 7").fetchone()


def test_the_same_object_again_adds_nothing_and_answers_the_same(load: Load, database: psycopg.Connection[Any]) -> None:
    """A repeat overwrites the result with its like."""
    assert load(a_content()) == load(a_content())
    assert (ROWS, ROWS, 1) == counts(database)


@pytest.mark.parametrize("other", [{"bucket": "other"}, {"key": "other"}, {"etag": "other"}], ids=str)
def test_another_bucket_key_or_etag_is_another_object(
    load: Load, database: psycopg.Connection[Any], other: dict[str, str]
) -> None:
    """Its rows are added."""
    load(a_content())
    load(a_content(**other))

    assert (2 * ROWS, ROWS, 2) == counts(database)


def test_an_object_without_orders_is_marked_too(load: Load, database: psycopg.Connection[Any]) -> None:
    """It is loaded, though nothing of it is there."""
    assert {"orders": 0} == load(a_content(b""))
    assert (0, 0, 1) == counts(database)


def test_a_wrong_row_leaves_nothing_of_its_object_and_the_next_one_is_loaded(
    load: Load, database: psycopg.Connection[Any]
) -> None:
    """On the same connection."""
    with pytest.raises(KeyError):
        load(a_content(ORDERS + b"{}\n"))
    assert (0, 0, 0) == counts(database)

    load(a_content())

    assert (ROWS, ROWS, 1) == counts(database)


def test_a_content_that_turns_out_corrupt_at_its_end_leaves_nothing(
    load: Load, database: psycopg.Connection[Any]
) -> None:
    """A stream's checksum fails after the last row, and before the commit."""

    def chunks() -> Iterator[bytes]:
        yield ORDERS
        raise CorruptGzipError("CRC check failed")

    with pytest.raises(CorruptGzipError):
        load(a_content(chunks))
    assert (0, 0, 0) == counts(database)


def test_a_copy_that_is_being_loaded_elsewhere_is_waited_for_and_adds_nothing(
    load: Load, database: psycopg.Connection[Any]
) -> None:
    """Two threads or two machines, at the same time."""
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        begun.set()
        assert go_on.wait(60)
        yield ORDERS

    other = Load()
    try:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(load, a_content(slowly))
            assert begun.wait(60)
            second = threads.submit(other, a_content())
            waits = until(lambda: database.execute("SELECT 1 FROM pg_locks WHERE NOT granted").rowcount == 1, 60)
            go_on.set()

            assert waits
            assert {"orders": ROWS} == first.result(60) == second.result(60)
    finally:
        go_on.set()
        other.close()
    assert (ROWS, ROWS, 1) == counts(database)


def test_a_connection_that_was_cut_fails_one_object_and_is_made_again(
    load: Load, database: psycopg.Connection[Any]
) -> None:
    """By a restart of the server, for example; the message that met it comes back."""
    load(a_content())
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    with pytest.raises(psycopg.OperationalError):
        load(a_content(key="other"))
    load(a_content(key="other"))

    assert (2 * ROWS, ROWS, 2) == counts(database)


# ── the whole job


@pytest.fixture
def queue_url(bucket: str) -> str:
    """Make a queue, and the orders in the test's bucket."""
    transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key="orders.jsonl", Body=ORDERS)
    url: str = transforms_aws.client("sqs", REGION).create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
    return url


def notify(bucket: str, queue_url: str, times: int) -> None:
    """Tell the queue of the orders, so many times."""
    for _ in range(times):
        body = a_notification("orders.jsonl", bucket=bucket, etag=None, size=len(ORDERS))
        transforms_aws.client("sqs", REGION).send_message(QueueUrl=queue_url, MessageBody=body)


def a_job(server: LocalPostgres, queue_url: str, tmp_path: Path, *options: str) -> Command:
    """Start the job until the queue is empty, with the examples where it finds modules."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "examples")])
    environment = {"DATABASE_URL": server.url, "PYTHONPATH": paths}
    drain = (f"--queue_url={queue_url}", "--wait_time_s=1", "--drain", *options)
    return Command(*drain, cwd=tmp_path, environment=environment)


def test_duplicate_deliveries_load_their_object_once(
    server: LocalPostgres, database: psycopg.Connection[Any], bucket: str, queue_url: str, tmp_path: Path
) -> None:
    """Eight messages of the same object, four of them at once."""
    notify(bucket, queue_url, times=8)

    options = ("--processor=to_postgres:Load", "--process_concurrency=4", "--idle_s=2")
    with a_job(server, queue_url, tmp_path, *options) as job:
        assert job.wait(TIMEOUT_S) == 0, str(job)

    assert job.lines_with("stopped: 8 received = 8 stored")
    assert (ROWS, ROWS, 1) == counts(database)


def test_a_kill_9_between_the_commit_and_the_delete_loads_its_object_once(
    server: LocalPostgres, database: psycopg.Connection[Any], bucket: str, queue_url: str, tmp_path: Path
) -> None:
    """The message comes again to the next process, which finds the marker and answers the same."""
    (tmp_path / "mine.py").write_text(DIES_ONCE)
    notify(bucket, queue_url, times=1)

    options = ("--processor=mine:Dies", "--visibility_timeout_s=2", "--idle_s=4")  # the lease ends before the drain
    with a_job(server, queue_url, tmp_path, *options) as job:
        assert job.wait(TIMEOUT_S) == 0, str(job)

    assert (tmp_path / "died").exists()
    assert job.lines_with(signal.SIGKILL.name), str(job)
    (document,) = (tmp_path / "output").rglob("*.json")
    assert ROWS == json.loads(document.read_text())["orders"]
    assert (ROWS, ROWS, 1) == counts(database)
