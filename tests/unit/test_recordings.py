"""Recorded messages are read as they would have been received; what is none is a body, never an error."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_notification, an_sns_envelope
from transforms import recordings
from transforms.failures import QueueError, UserError
from transforms.recordings import MAX_BODY_BYTES, MAX_LINE_BYTES, Recordings

if TYPE_CHECKING:
    from pathlib import Path

    from transforms.queues import Message

SENT_MS = 1_768_467_902_125
SENT_AT = datetime(2026, 1, 15, 9, 5, 2, 125000, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _line(body: str = "body", **fields: Any) -> str:  # noqa: ANN401 - whatever somebody recorded
    return json.dumps({"MessageId": "m", "Body": body} | fields)


def _read(path: Path, content: str | bytes) -> list[Message]:
    path = path / "recording.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Recordings(str(path)))


def _bodies(path: Path, content: str | bytes) -> list[str]:
    return [message.body for message in _read(path, content)]


def test_a_line_is_a_message_as_the_aws_cli_prints_it(tmp_path: Path) -> None:
    """Its receives are counted anew, and its handle is of no use."""
    attributes = {"ApproximateReceiveCount": "3", "SentTimestamp": str(SENT_MS)}
    line = _line(a_notification(), MessageId="e2e3dfd4", ReceiptHandle="AQEB", MD5OfBody="x", Attributes=attributes)

    (message,) = _read(tmp_path, line)

    assert ("e2e3dfd4", a_notification(), SENT_AT) == (message.message_id, message.body, message.sent_at)
    assert (0, "") == (message.receive_count, message.receipt_handle)


@pytest.mark.parametrize(
    "attributes",
    [
        *(None, [], "x", {}, {"SentTimestamp": None}, {"SentTimestamp": "soon"}, {"SentTimestamp": 10**30}),
        *({"SentTimestamp": float("nan")}, {"SentTimestamp": "1e3"}, {"SentTimestamp": {}}),
    ],
)
def test_a_time_that_is_missing_or_none_is_the_epoch(tmp_path: Path, attributes: object) -> None:
    """Always the same, so that two replays are."""
    assert [EPOCH] == [message.sent_at for message in _read(tmp_path, _line(Attributes=attributes))]


def test_a_line_may_hold_a_whole_answer(tmp_path: Path) -> None:
    """As the CLI prints it with --output json, on one line; an empty one holds nothing."""
    answer = {"Messages": [{"MessageId": "a", "Body": "1"}, {"MessageId": "b", "Body": "2"}]}

    messages = _read(tmp_path, f"{json.dumps(answer)}\n" + '{"Messages": []}\n')

    assert [("a", "1"), ("b", "2")] == [(message.message_id, message.body) for message in messages]


@pytest.mark.parametrize(
    "line",
    [
        a_notification(),
        an_sns_envelope(),
        "this is no notification",
        "{",
        "[1, 2]x",
        "null",
        '"text"',
        "[" * 100_000,
        "1" * 5000,
        '{"Body": {"Records": []}}',
        '{"MessageId": "m"}',
        '{"Messages": [{"Body": "1"}, {"Text": "2"}]}',
        '{"Messages": "none"}',
        "\N{DUCK} \u2028 \x85 text",
    ],
)
def test_a_line_that_is_no_message_is_a_body(tmp_path: Path, line: str) -> None:
    """A poison message, if it is no notification: with the fate that it would have in a queue."""
    assert ["first", line] == _bodies(tmp_path, f"first\n{line}\n")


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_no_part_of_it(tmp_path: Path) -> None:
    """Editors add them."""
    content = b"\xef\xbb\xbf" + _line("one").encode() + b"\r\n\r\n  \n" + _line("two").encode()

    assert ["one", "two"] == _bodies(tmp_path, content)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    """A recording of a quiet hour."""
    assert [] == _bodies(tmp_path, "")


def test_bytes_that_are_no_utf_8_are_a_body(tmp_path: Path) -> None:
    """They can be told from each other, in a dead letter."""
    assert ["\udcff\udcfd", "\udcfd"] == _bodies(tmp_path, b"\xff\xfd\n\xfd\n")


def test_a_line_of_a_mebibyte_is_a_line(tmp_path: Path) -> None:
    """The largest body that SQS takes, even where JSON doubles it."""
    body = '"' * MAX_BODY_BYTES

    assert [body, "next"] == _bodies(tmp_path, f"{_line(body)}\nnext")


@pytest.mark.parametrize("end", ["", "\nnext\n"])
def test_of_a_line_without_end_only_the_beginning_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    """No queue holds such a message; a file of zeros must not fill memory."""
    bodies = _bodies(tmp_path, "a" * (2 * MAX_LINE_BYTES + 1) + end)

    assert ["a" * MAX_BODY_BYTES, *end.split()] == bodies
    assert [f"has a line over {MAX_LINE_BYTES} bytes" in message for message in caplog.messages] == [True]


def test_files_are_read_one_after_the_other_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever order the file system has them in; in small pieces here."""
    monkeypatch.setattr(recordings, "READ_BYTES", 1)
    (tmp_path / "sub.jsonl").mkdir()
    for name in ("b.jsonl", "a.jsonl", "sub.jsonl/c.jsonl", "d.txt"):
        (tmp_path / name).write_text(f"{name} 1\n{name} 2\n")

    def read(pattern: str) -> list[str]:
        return [message.body for message in Recordings(f"{tmp_path}/{pattern}")]

    assert ["a.jsonl 1", "a.jsonl 2", "b.jsonl 1", "b.jsonl 2"] == read("*.jsonl")
    assert ["a.jsonl 1", "b.jsonl 1", "sub.jsonl/c.jsonl 1"] == read("**/*.jsonl")[::2]


def test_a_name_with_brackets_is_a_name_if_there_is_such_a_file(tmp_path: Path) -> None:
    """Not only a pattern."""
    (tmp_path / "a[1].jsonl").write_text("one")

    assert ["one"] == [message.body for message in Recordings(f"{tmp_path}/a[1].jsonl")]


def test_a_pattern_that_matches_no_file_is_refused(tmp_path: Path) -> None:
    """A replay of nothing would pass every test."""
    expected = f"--replay is {tmp_path}/*, and there is no such file; is the job started in the right directory?"
    (tmp_path / "directory").mkdir()

    with pytest.raises(UserError) as refused:
        Recordings(f"{tmp_path}/*")

    assert expected == str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything has started."""

    def refuse(path: Path, mode: str) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a.jsonl").touch()
    monkeypatch.setattr(recordings.Path, "open", refuse)
    expected = f"--replay is {tmp_path}/*, and {tmp_path}/a.jsonl cannot be read: Permission denied"

    with pytest.raises(UserError) as refused:
        Recordings(f"{tmp_path}/*")

    assert expected == str(refused.value)


@pytest.mark.parametrize("first", ["{", "[", "\ufeff{", " { "])
def test_json_over_several_lines_is_refused_with_what_mends_it(tmp_path: Path, first: str) -> None:
    """The CLI prints it so, and each of its lines would be a poison message."""
    (tmp_path / "a.jsonl").write_text(f'{first}\n  "Messages": []\n}}\n')

    with pytest.raises(UserError, match=r"one line is one message: jq -c '\.Messages\[\]' "):
        Recordings(f"{tmp_path}/a.jsonl")


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"one"), "one".encode("utf-16"), "\ufeffone".encode("utf-16-be")],
    ids=["gzip", "UTF-16", "big endian"],  # not the bytes: those of gzip name the second in which they were made
)
def test_what_is_compressed_or_in_another_encoding_is_refused_with_what_mends_it(
    tmp_path: Path, content: bytes
) -> None:
    """Each piece of it would be a poison message."""
    (tmp_path / "a.jsonl").write_bytes(content)

    with pytest.raises(UserError, match=r"a\.jsonl is compressed or not UTF-8; gunzip or iconv makes it JSON Lines"):
        Recordings(f"{tmp_path}/a.jsonl")


def test_what_cannot_be_read_for_a_while_is_read_later_and_nothing_is_lost(tmp_path: Path) -> None:
    """A network drive that comes back."""
    for name in "ab":
        (tmp_path / name).write_text(name)
    messages = Recordings(f"{tmp_path}/?")
    (tmp_path / "b").rename(tmp_path / "away")

    assert "a" == next(messages).body
    for _ in range(2):
        with pytest.raises(QueueError, match=f"cannot read {tmp_path}/b: No such file or directory"):
            next(messages)
    (tmp_path / "away").rename(tmp_path / "b")
    assert ["b"] == [message.body for message in messages]


def test_a_missing_id_is_made_of_the_body(tmp_path: Path) -> None:
    """Another line before it changes no name of a dead letter."""
    (one,) = _read(tmp_path, "text")
    _, same = _read(tmp_path, "before\ntext")

    assert one.message_id == same.message_id
    assert 36 == len(one.message_id)


def test_an_id_that_comes_again_ends_in_the_number_of_its_message(tmp_path: Path) -> None:
    """Two messages under one id would have one fate."""
    forged = "m-again-2"
    content = "\n".join([_line(), _line("2"), _line("3"), _line(MessageId=forged), _line(MessageId="")])

    ids = [message.message_id for message in _read(tmp_path, content)]

    assert ["m", "m-again-2", "m-again-3", f"{forged}-again-4"] == ids[:4]


@given(st.lists(st.sampled_from(["", "a", "a-again-2", "a-again-3-again-2", "\ud800"]) | st.text(max_size=3)))
def test_ids_are_distinct_and_the_same_in_every_run(ids: list[str]) -> None:
    """Whatever was recorded."""

    def made() -> list[str]:
        reader = object.__new__(Recordings)
        reader._number, reader._seen = 0, set()
        return [reader._message(name, "body", EPOCH).message_id for name in ids]

    assert len(ids) == len(set(made()))
    assert made() == made()
