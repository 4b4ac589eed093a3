"""The job through its command line: a process of its own, S3 and SQS over HTTP, and what they and it leave behind."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.builders import an_eventbridge_event, an_s3_record, an_sns_envelope
from tests.command import until
from tests.integration.jobs import (
    COUNTED,
    REGION,
    TEXT,
    a_job,
    the_dead_letters,
    the_documents,
    the_summary,
)
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.jobs import Place


def test_a_drain_processes_what_s3_itself_notified_and_ends(place: Place, tmp_path: Path) -> None:
    """Exit code 0, exact results, an empty queue, and a summary that balances; the test event is ignored."""
    place.let_s3_notify()
    place.put("logs/plain.txt")
    place.put("logs/packed.gz", gzip.compress(b"a\nb\n", mtime=0))
    place.put("empty", b"")
    with a_job(place, tmp_path, "--drain", "--idle_s=1") as job:
        assert job.wait() == 0, str(job)
    expected = {
        "logs/plain.txt": {**COUNTED, "source": place.source("logs/plain.txt")},
        "logs/packed.gz": {
            "line_count": 2,
            "byte_size": 4,
            "source": place.source("logs/packed.gz", gzip.compress(b"a\nb\n", mtime=0)),
        },
        "empty": {"line_count": 0, "byte_size": 0, "source": place.source("empty", b"")},
    }
    assert expected == the_documents(tmp_path / "output" / place.bucket)
    assert the_summary(job) == "4 received = 3 stored + 1 ignored + 0 set aside + 0 returned"
    assert place.left() == (0, 0)
    assert the_dead_letters(tmp_path / "output") == []


def test_each_record_of_a_message_has_its_own_end_and_the_message_one(place: Place, tmp_path: Path) -> None:
    """Three records, one object gone: two results, one dead letter complete enough to replay, one message deleted."""
    records = [place.record("a"), an_s3_record("gone", bucket=place.bucket), place.record("b")]
    body = json.dumps({"Records": records})
    message_id = place.send(body)
    with a_job(place, tmp_path, "--max_messages=1") as job:
        assert job.wait() == 0, str(job)
    assert sorted(the_documents(tmp_path / "output" / place.bucket)) == ["a", "b"]
    (letter,) = the_dead_letters(tmp_path / "output")
    expected = {
        "message_id": message_id,
        "index": 1,
        "kind": "object_gone",
        "receive_count": 1,
        "queue_url": place.url,
        "body": body,
        "traceback": None,
    }
    assert expected == {name: letter[name] for name in expected}
    assert (letter["reference"]["bucket"], letter["reference"]["key"]) == (place.bucket, "gone")
    assert the_summary(job) == "1 received = 0 stored + 0 ignored + 1 set aside + 0 returned"
    assert place.left() == (0, 0)


def test_messages_through_sns_and_eventbridge_are_understood(place: Place, tmp_path: Path) -> None:
    """A key that EventBridge does not encode is taken as it is, and SNS may wrap EventBridge too."""
    place.send(an_sns_envelope(json.dumps({"Records": [place.record("by sns +.txt")]})))
    for key, wrap in (("by+eventbridge %41", str), ("by+both", an_sns_envelope)):
        place.send(wrap(an_eventbridge_event(key, bucket=place.bucket, etag=place.put(key), size=len(TEXT))))
    with a_job(place, tmp_path, "--max_messages=3") as job:
        assert job.wait() == 0, str(job)
    keys = ("by sns +.txt", "by+eventbridge %41", "by+both")
    expected = {key: {**COUNTED, "source": place.source(key)} for key in keys}
    assert expected == the_documents(tmp_path / "output" / place.bucket)
    assert place.left() == (0, 0)


def test_a_function_from_the_current_directory_makes_the_results(place: Place, tmp_path: Path) -> None:
    """What it returns is stored as it is, with `source` added."""
    (tmp_path / "mine.py").write_text("def shout(content):\n    return {'text': content.read().decode().upper()}\n")
    place.upload("a")
    with a_job(place, tmp_path, "--processor=mine:shout", "--max_messages=1") as job:
        assert job.wait() == 0, str(job)
    expected = {"a": {"text": "ONE\nTWO\nTHREE", "source": place.source("a")}}
    assert expected == the_documents(tmp_path / "output")


@pytest.mark.parametrize(("strictness", "code"), [((), 0), (("--strict",), 1)])
def test_what_a_function_never_processes_is_set_aside_after_its_receives(
    place: Place, tmp_path: Path, strictness: tuple[str, ...], code: int
) -> None:
    """With the traceback, while its neighbour is stored; a failure only to --strict."""
    (tmp_path / "mine.py").write_text(
        "def choosy(content):\n    if content.ref.key == 'bad':\n        raise LookupError('no such customer')\n"
        "    return {}\n"
    )
    place.upload("bad", "good")
    options = ("--processor=mine:choosy", "--give_up_after=2", "--retry_base_s=1", "--drain", "--idle_s=1")
    with a_job(place, tmp_path, *options, *strictness) as job:
        assert job.wait() == code, str(job)
    (letter,) = the_dead_letters(tmp_path / "output")
    assert ("processor_error", 2, "bad") == (letter["kind"], letter["receive_count"], letter["reference"]["key"])
    assert "LookupError: no such customer" in letter["traceback"]
    assert 'mine.py", line 3, in choosy' in letter["traceback"]
    assert list(the_documents(tmp_path / "output" / place.bucket)) == ["good"]
    assert the_summary(job) == "3 received = 1 stored + 0 ignored + 1 set aside + 1 returned"
    assert len(job.lines_with("--strict fails the job: 1 set aside")) == code
    assert place.left() == (0, 0)


def test_results_on_s3_are_not_taken_for_objects_to_process(place: Place, tmp_path: Path) -> None:
    """The output is a prefix of the bucket that notifies, and the job does not feed itself."""
    place.let_s3_notify()
    place.put("a")
    output = f"s3://{place.bucket}/results/of-mine"
    with a_job(place, tmp_path, f"--output={output}", "--drain", "--idle_s=1") as job:
        assert job.wait() == 0, str(job)
    s3 = transforms_aws.client("s3", REGION)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=place.bucket)["Contents"]]
    (name,) = [key for key in keys if key != "a"]
    document = json.loads(s3.get_object(Bucket=place.bucket, Key=name)["Body"].read())
    assert name.startswith(f"results/of-mine/{place.bucket}/a.")
    assert "a" == document["source"]["key"]
    # ignored: the test event, the probes of the output and of the dead letters at start, and the result
    assert the_summary(job) == "5 received = 1 stored + 4 ignored + 0 set aside + 0 returned"
    assert place.left() == (0, 0)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_asked_to_stop_finishes_what_it_began_and_gives_back_the_rest(
    place: Place, tmp_path: Path, fifo: Path, number: int
) -> None:
    """SIGTERM and Ctrl-C: exit code 0, a balanced summary, and what was not started is visible at once."""
    place.upload("slow", "b", "c", "d")
    # so few bytes in flight that one object at a time is started
    with a_job(place, tmp_path, "--processor=blocks:on_slow", "--max_in_flight_bytes=1") as job:
        job.wait_for_line("begun slow")
        job.wait_for_line("received 4 messages")
        job.signal(number)
        job.wait_for_line("stopping: ")
        job.wait_for_line("(not started)", times=3)
        assert (3, 1) == place.left()
        fifo.write_text("")
        assert job.wait() == 0, str(job)
    assert {"slow": {"bytes": len(TEXT), "source": place.source("slow")}} == the_documents(tmp_path / "output")
    assert the_summary(job) == "4 received = 1 stored + 0 ignored + 0 set aside + 3 returned"
    assert place.left() == (3, 0)


def test_a_second_signal_leaves_at_once_and_deletes_nothing(place: Place, tmp_path: Path, fifo: Path) -> None:
    """What was in hand comes back when its lease ends."""
    place.upload("slow")
    with a_job(place, tmp_path, "--processor=blocks:on_slow") as job:
        job.wait_for_line("begun slow")
        job.signal(signal.SIGTERM)
        job.wait_for_line("stopping: ")
        job.signal(signal.SIGTERM)
        assert job.wait() == 128 + signal.SIGTERM, str(job)
    assert place.left() == (0, 1)
    assert not (tmp_path / "output" / place.bucket).exists()


def test_a_stop_is_over_within_the_drain_timeout_whatever_the_function_does(
    place: Place, tmp_path: Path, fifo: Path
) -> None:
    """Exit code 0: it was asked to, and the message comes back by itself."""
    place.upload("slow")
    with a_job(place, tmp_path, "--processor=blocks:on_slow", "--drain_timeout_s=1", "--wait_time_s=1") as job:
        job.wait_for_line("begun slow")
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, str(job)
    assert the_summary(job) == "1 received = 0 stored + 0 ignored + 0 set aside + 1 returned"
    assert place.left() == (0, 1)


def test_after_a_kill_the_next_run_does_what_was_not_done_and_only_that(
    place: Place, tmp_path: Path, fifo: Path
) -> None:
    """Killed between two records of one message: the one that is stored is neither fetched nor written again."""
    place.send(json.dumps({"Records": [place.record("a"), place.record("slow")]}))
    place.upload("b")
    options = ("--processor=blocks:on_slow", "--process_concurrency=2", "--visibility_timeout_s=2")
    # Without a supervisor: its worker would live on and take the drain timeout to end in order.
    with a_job(place, tmp_path, *options, "--pipelines=0") as killed:
        killed.wait_for_line("begun slow")
        killed.wait_for_line(f"stored s3://{place.bucket}/a as ")
        assert until(lambda: place.left() == (0, 1))  # b is deleted
        killed.signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    (stored,) = (tmp_path / "output" / place.bucket).glob("a.*.json")
    before = stored.stat()
    with a_job(place, tmp_path, *options, "--max_messages=1") as job:
        job.wait_for_line("begun slow")
        fifo.write_text("")
        assert job.wait() == 0, str(job)
    expected = {key: {"bytes": len(TEXT), "source": place.source(key)} for key in ("a", "b", "slow")}
    assert expected == the_documents(tmp_path / "output")
    assert (before.st_mtime_ns, before.st_ino) == (stored.stat().st_mtime_ns, stored.stat().st_ino)
    assert 1 == len(job.lines_with(" fetched s3://"))
    assert the_summary(job) == "1 received = 1 stored + 0 ignored + 0 set aside + 0 returned"
    assert place.left() == (0, 0)


def test_after_a_kill_a_message_of_which_all_is_stored_is_ignored(place: Place, tmp_path: Path) -> None:
    """Received a second time, its result in place: acknowledged as `already_finished`."""
    place.upload("a")
    with a_job(place, tmp_path, "--max_messages=1") as first:
        assert first.wait() == 0, str(first)
    place.upload("a")
    sqs = transforms_aws.client("sqs", REGION)  # received by a process that then died, before it deleted
    assert 1 == len(sqs.receive_message(QueueUrl=place.url, VisibilityTimeout=0)["Messages"])
    with a_job(place, tmp_path, "--max_messages=1") as second:
        assert second.wait() == 0, str(second)
    assert [] == second.lines_with(" fetched s3://")
    assert the_summary(second) == "1 received = 0 stored + 1 ignored + 0 set aside + 0 returned"
    assert place.left() == (0, 0)


def test_an_object_that_takes_longer_than_the_visibility_timeout_is_received_once(place: Place, tmp_path: Path) -> None:
    """The heartbeat extends its lease: twice the timeout passes, and the message never shows in the queue again."""
    (tmp_path / "mine.py").write_text(
        "import threading\n\n\ndef slow(content):\n    threading.Event().wait(9)\n    return {}\n"
    )
    place.upload("a")
    options = ("--processor=mine:slow", "--visibility_timeout_s=3", "--drain", "--idle_s=1")
    with a_job(place, tmp_path, *options) as job:
        job.wait_for_line("fetched s3://")
        assert not until(lambda: place.left() != (0, 1), timeout_s=6)
        assert job.wait() == 0, str(job)
    assert {"a": {"source": place.source("a")}} == the_documents(tmp_path / "output")
    assert 1 == len(job.lines_with(" processed s3://"))
    assert the_summary(job) == "1 received = 1 stored + 0 ignored + 0 set aside + 0 returned"
    assert place.left() == (0, 0)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        pytest.param("--queue_url={queue}-not", "The queue {queue}-not cannot be used: ", id="unknown queue"),
        pytest.param("--queue_url={queue}.fifo", "--queue_url is '{queue}.fifo', a FIFO queue; ", id="FIFO queue"),
        pytest.param(
            "--processor=nowhere:run", "--processor is 'nowhere:run', but there is no module nowhere ", id="--processor"
        ),
        pytest.param("--output=taken", "--output cannot be used: ", id="--output"),
        pytest.param("--wait_time_s=30", "--wait_time_s is 30; SQS allows 0 to 20", id="--wait_time_s"),
        pytest.param("--direct_num_workers=2", "--direct_num_workers", id="--direct_num_workers"),
    ],
)
def test_what_would_stay_wrong_is_refused_with_one_sentence(
    place: Place, tmp_path: Path, option: str, sentence: str
) -> None:
    """On standard error, without a traceback, with exit code 2; and no message is touched."""
    (tmp_path / "taken").write_text("a file where the directory should be")
    transforms_aws.client("sqs", REGION).create_queue(
        QueueName=f"{place.bucket}.fifo", Attributes={"FifoQueue": "true"}
    )
    place.upload("a")
    with a_job(place, tmp_path, option.format(queue=place.url)) as job:
        assert job.wait() == 2, str(job)
    assert 1 == len(job.log), str(job)
    assert job.log[0].startswith(f"sqs-pipeline: {sentence.format(queue=place.url)}"), job.log[0]
    assert place.left() == (1, 0)


def test_without_credentials_the_job_does_not_start(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that says so, exit code 2."""
    url = place.url
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with a_job(place, tmp_path, HOME=str(tmp_path)) as job:
        assert job.wait() == 2, str(job)
    (line,) = job.log
    assert line.startswith(f"sqs-pipeline: The queue {url} cannot be used: ")
    assert "credentials" in line


def test_an_outage_at_the_start_is_waited_for(aws: str, place: Place, tmp_path: Path) -> None:
    """Nobody answers when the job starts; when somebody does, it works as if nothing had been."""
    place.upload("a")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with a_job(place, tmp_path, f"--queue_url={place.url.replace(aws, url)}", AWS_ENDPOINT_URL=url) as job:
            job.wait_for_line("the job starts all the same and waits for it")
            job.wait_for_line("started: ")
            assert place.left() == (1, 0)
            with a_relay(silent, to=aws):
                job.wait_for_line(" stored s3://")
                assert until(lambda: place.left() == (0, 0))
                job.signal(signal.SIGTERM)
                assert job.wait() == 0, str(job)
    assert {"a": {**COUNTED, "source": place.source("a")}} == the_documents(tmp_path / "output")
    assert the_summary(job) == "1 received = 1 stored + 0 ignored + 0 set aside + 0 returned"


@contextmanager
def a_relay(listener: socket.socket, *, to: str) -> Iterator[None]:
    """Listen at its address, and pass on what is said there to the server `to`, and its answers."""
    target = urlsplit(to)

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection((target.hostname, target.port)) as server:
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join()

    def accept() -> None:
        with suppress(OSError):  # closed
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    listener.listen()
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    accepting.join()


def test_a_json_log_is_one_object_a_line(place: Place, tmp_path: Path) -> None:
    """Each with time, level and message; those about an object say which, of which message, and which receive."""
    body = json.dumps({"Records": [place.record("a"), an_s3_record("gone", bucket=place.bucket)]})
    message_id = place.send(body)
    with a_job(place, tmp_path, "--log_format=json", "--max_messages=1") as job:
        assert job.wait() == 0, str(job)
    events = [json.loads(line) for line in job.log]
    assert [] == [event for event in events if not {"time", "level", "message"} <= set(event)]
    about = {"bucket": place.bucket, "message_id": message_id, "attempt": 1}
    told = [event for event in events if "key" in event]
    assert {"fetched": "a", "processed": "a", "stored": "a", "set_aside": "gone"} == {
        event["event"]: event["key"] for event in told
    }
    assert [about] * 4 == [{name: event[name] for name in about} for event in told]
    assert {"set_aside": "WARNING"} == {event["event"]: event["level"] for event in told if event["level"] != "INFO"}


def test_one_filter_finds_all_that_happened_to_an_object(place: Place, tmp_path: Path) -> None:
    """It fails, goes back, comes again, and is set aside; another one is ignored."""
    (tmp_path / "fails.py").write_text("def always(content):\n    raise ValueError(content.ref.key)\n")
    place.upload("logs/a", "other")
    options = ("--log_format=json", "--processor=fails:always", "--give_up_after=2", "--retry_base_s=1")
    with a_job(place, tmp_path, *options, "--key_glob=logs/*", "--max_messages=3") as job:
        assert job.wait() == 0, str(job)
    events = [json.loads(line) for line in job.log]

    assert [
        (1, "fetched"),
        (1, "failed"),
        (1, "returned"),
        (2, "fetched"),
        (2, "set_aside"),
    ] == [(event["attempt"], event["event"]) for event in events if event.get("key") == "logs/a"]
    assert [("ignored", "filtered")] == [
        (event["event"], event["kind"]) for event in events if event.get("key") == "other"
    ]
