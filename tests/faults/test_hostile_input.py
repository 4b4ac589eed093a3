"""Anything in the queue, any answer of S3, any output of the function: one fate each, and nothing reaches elsewhere."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import hostile_messages, hostile_processor
from tests.faults.conftest import choose, histogram
from tests.faults.hostile_messages import ANY, IGNORED, STORED, Hostile
from tests.faults.log_lines import assert_says_none_of, assert_well_formed, balance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.command import Command
    from tests.faults.conftest import World

PREFIX = "results"
SECRET_KEY, TOKEN = "canary/of+the/secret/key", "canary/of+the/session/token=="
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": TOKEN}
CONTENT = "canary-of-the-content"
SECRETS = (SECRET_KEY, TOKEN, CONTENT, "AWS4-HMAC", "Authorization", "X-Amz-Signature", "Signature=", "Credential=")
OPTIONS = ("--give_up_after=2", "--retry_base_s=1", "--retry_max_s=1", "--drain", "--idle_s=2", "--log_level=DEBUG")


def _put_good(world: World, keys: Sequence[str]) -> None:
    content = gzip.compress(f"{CONTENT}\n{CONTENT}".encode(), 1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: world.put(key, content), keys))


def _send(world: World, bodies: Sequence[str]) -> list[str]:
    """Send one message for each body, and answer their ids."""
    with ThreadPoolExecutor(8) as pool:
        sent = pool.map(lambda body: world.sqs.send_message(QueueUrl=world.queue_url, MessageBody=body), bodies)
        return [answer["MessageId"] for answer in sent]


def _documents(world: World, to: str) -> dict[str, dict[str, Any]]:
    """Read everything that the job wrote, by its name under the output."""
    if not to.startswith("s3://"):
        return {str(path.relative_to(to)): json.loads(path.read_bytes()) for path in Path(to).rglob("*.json")}
    pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=world.name, Prefix=f"{PREFIX}/")
    names = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if "/loop.json" not in entry["Key"]]
    with ThreadPoolExecutor(8) as pool:
        bodies = pool.map(lambda name: world.s3.get_object(Bucket=world.name, Key=name)["Body"].read(), names)
        return {name.removeprefix(f"{PREFIX}/"): json.loads(body) for name, body in zip(names, bodies, strict=True)}


def _split(documents: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Answer the results by key, and the dead letters."""
    letters = [document for name, document in documents.items() if name.startswith("_dead_letters/")]
    results = [document for name, document in documents.items() if not name.startswith("_dead_letters/")]
    by_key = {result["source"]["key"]: result for result in results}
    assert len(by_key) == len(results), "two results of one object"
    return by_key, letters


def _files(directory: Path, *, but: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file() and but not in path.parents
    }


def _assert_asked_for_nothing_else(world: World, output: str) -> None:
    """Only the allowed bucket is read, and nothing of the output; only the output is written."""
    deletes = 0
    for event in world.proxy.events:
        if event.service != "s3":
            continue
        where = f"{event.operation} {event.bucket}/{event.key}"
        assert event.bucket == world.name, where
        if event.operation == "POST" and not event.key:  # a request to delete objects: the probes at the start
            deletes += 1
        elif f"s3://{event.bucket}/{event.key}".startswith(f"{output}/"):
            assert event.operation in {"PUT", "HEAD"}, where
        else:
            assert event.operation == "GET" or (event.operation == "HEAD" and not event.key), where
    assert deletes <= 2


def _assert_one_fate_each(world: World, job: Command, ids: Sequence[str], aside: set[str], stored: int) -> None:
    """Each message is deleted once, the queue is empty, and the summary says the same."""
    deleted: Counter[str] = Counter()
    handles: dict[str, str] = {}
    received = 0
    for event in world.proxy.events:
        received += len(event.messages)
        handles |= {handle: message_id for message_id, handle, _, _ in event.messages}
        if event.operation == "DeleteMessageBatch":
            deleted.update(handles[handle] for handle in event.handles)
    assert deleted == Counter(ids)
    assert world.left() == (0, 0)
    told = balance(job.log)
    assert (told["received"], told["stored"], told["set aside"]) == (received, stored, len(aside))
    # A standard queue may deliver a message twice at once: the copy is ignored, and nothing is returned.
    assert len(ids) - stored - len(aside) <= told["ignored"]
    assert told["ignored"] + told["returned"] == received - stored - len(aside)


@pytest.mark.parametrize(("to", "log_format"), [("s3", "text"), ("directory", "json")])
def test_hostile_messages_reach_nothing_and_forge_nothing(
    world: World, figures: Callable[..., None], to: str, log_format: str
) -> None:
    """Each has one fate, with the reason it must have; good neighbours have their results."""
    other = f"{world.name}-other"
    world.s3.create_bucket(Bucket=other)
    sandbox = world.directory / "sandbox"
    output = f"s3://{world.name}/{PREFIX}" if to == "s3" else str(sandbox / "output")
    world.s3.put_object(Bucket=other, Key="secret", Body=CONTENT.encode())
    for name in (f"{PREFIX}/loop.json", f"{PREFIX}/_dead_letters/loop.json"):
        world.s3.put_object(Bucket=world.name, Key=name, Body=CONTENT.encode())
    hostile = Hostile(world.name, other, PREFIX)
    hostile_messages.nasty(hostile)
    hostile_messages.random_bodies(hostile, random.Random(7), choose(800, 150))
    for _ in range(choose(200, 100)):
        hostile.add_record(STORED)
    if to != "s3":  # then the job has no output there
        hostile.fates = [pair for pair in hostile.fates if f'"{PREFIX}/' not in pair[0]]
    random.Random(8).shuffle(hostile.fates)
    _put_good(world, hostile.keys)
    ids = _send(world, [body for body, _ in hostile.fates])
    sandbox.mkdir()
    for canary in (world.directory / "canary.json", sandbox / "canary.json", sandbox / "output-canary.json"):
        canary.write_text(CONTENT)
    before = _files(world.directory, but=Path(output))
    options = (*OPTIONS, f"--buckets={world.name}", f"--log_format={log_format}")
    with world.job(*options, to=output, environment=CREDENTIALS) as job:
        assert job.wait(choose(600, 240)) == 0, str(job)[-5000:]
    documents = _documents(world, output)
    results, letters = _split(documents)
    kinds: dict[str, set[str]] = {}
    for letter in letters:
        kinds.setdefault(letter["message_id"], set()).add(letter["kind"])
    figures(
        messages=len(ids),
        stored=len(results),
        dead_letters=len(letters),
        kinds=dict(Counter(letter["kind"] for letter in letters)),
        receives=histogram(world.proxy.receives()),
        log_lines=len(job.log),
        longest=max(map(len, job.log)),
    )
    unexpected = [
        (fate, kinds.get(message_id), body[-300:])
        for message_id, (body, fate) in zip(ids, hostile.fates, strict=True)
        if fate != ANY and kinds.get(message_id, set()) != (set() if fate in {STORED, IGNORED} else {fate})
    ]
    assert not unexpected
    assert set(results) == set(hostile.keys)
    assert {(result["line_count"], result["byte_size"]) for result in results.values()} == {(2, 2 * len(CONTENT) + 1)}
    assert all(name.startswith(("_dead_letters/", f"{world.name}/")) for name in documents)
    _assert_asked_for_nothing_else(world, output)
    _assert_one_fate_each(world, job, ids, set(kinds), len(results))
    assert _files(world.directory, but=Path(output)) == before
    assert_well_formed(job.log, log_format=log_format)
    assert_says_none_of(SECRETS, [*job.log, *map(json.dumps, letters)])


def test_whatever_the_function_returns_or_raises_is_the_fate_of_its_object(
    world: World, figures: Callable[..., None]
) -> None:
    """With a reason, and the content it had read is told nowhere; its neighbours do not notice."""
    keys = [f"good/{n}" for n in range(choose(500, 50))]
    expected = dict(hostile_processor.FATES)
    _put_good(world, [*expected, *keys])
    world.notify(*([key] for key in (*expected, *keys)))
    options = (*OPTIONS, "--processor=tests.faults.hostile_processor:Hostile")
    with world.job(*options, to=f"s3://{world.name}/{PREFIX}", environment=CREDENTIALS) as job:
        assert job.wait(choose(600, 240)) == 0, str(job)[-5000:]
    results, letters = _split(_documents(world, f"s3://{world.name}/{PREFIX}"))
    fates = {letter["reference"]["key"]: letter["kind"] for letter in letters} | dict.fromkeys(results, STORED)
    figures(
        outputs=len(expected),
        fates=dict(Counter(expected.values())),
        neighbours=len(keys),
        longest_line=max(map(len, job.log)),
        largest_dead_letter=max(len(json.dumps(letter)) for letter in letters),
    )
    assert fates == expected | dict.fromkeys(keys, STORED), job
    assert all(letter["detail"] and letter["receive_count"] == 2 for letter in letters)
    for key, result in results.items():
        assert (result["source"]["bucket"], result["source"]["key"]) == (world.name, key)
    assert {results[key]["line_count"] for key in keys} == {2}
    assert results["its own time"]["processed_at"] == "mine"
    assert max(len(json.dumps(letter)) for letter in letters) < 150_000  # 20,000 characters, each escaped
    assert max(map(len, job.log)) < 10_000
    assert balance(job.log)["set aside"] == len(letters)
    assert world.left() == (0, 0)
    assert_well_formed(job.log, log_format="text")
    assert_says_none_of(SECRETS, [*job.log, *map(json.dumps, letters)])


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_aws_repeats_of_a_signed_request_is_told_nowhere(
    world: World, figures: Callable[..., None], log_format: str
) -> None:
    """S3 and SQS refuse with the request in their answer; both clients, the output, and deletes too."""
    keys = [f"good/{n}" for n in range(30)]
    refused = ["403", "500", "/odd/403", "/odd/500"]
    _put_good(world, [*keys, *refused])
    world.notify(*([key] for key in (*keys, *refused)))
    proxy, output = world.proxy, f"s3://{world.name}/{PREFIX}"
    faults = [
        proxy.add(f"echo {key[-3:]}", lambda e, key=key: (e.operation, e.key) == ("GET", key), times=6)
        for key in refused
    ]
    faults += [proxy.add("echo 500", lambda e: e.operation == "PUT" and "good/3." in e.key, times=3)]
    faults += [proxy.add("echo 403", lambda e: e.operation == "PUT" and "good/5." in e.key, times=1)]
    for operation in ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
        faults.append(proxy.add("echo 500", lambda e, operation=operation: e.operation == operation, times=6))
    options = (*OPTIONS, "--visibility_timeout_s=5", f"--log_format={log_format}")
    with world.job(*options, to=output, environment=CREDENTIALS) as job:
        assert job.wait(120) == 0, str(job)[-5000:]
    results, letters = _split(_documents(world, output))
    figures(echoes=sum(fault.hits for fault in faults), dead_letters=len(letters), log_lines=len(job.log))
    assert all(fault.hits for fault in faults)
    aside = {letter["reference"]["key"] for letter in letters}
    assert results.keys() | aside == {*keys, *refused}
    assert aside <= {*refused, "good/3", "good/5"}
    for told in ("forbidden", "unavailable", "write_failed", "SQS does not answer", "SQS did not take"):
        assert job.lines_with(told), job
    assert world.left() == (0, 0)
    assert_well_formed(job.log, log_format=log_format)
    assert_says_none_of(SECRETS, [*job.log, *map(json.dumps, letters)])
