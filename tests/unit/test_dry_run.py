"""A dry run counts what the job would do, by the job's own rules, and does nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, cast

import pytest

from pipeline import __main__, dry_run
from pipeline.__main__ import main
from pipeline.options import RunSettings, Settings
from pipeline.outside import Outside
from tests.fake_listing import CHANGED_AT
from tests.fakes import FakeStore
from transforms.backfill_queue import message_of
from transforms.events import EVENTS
from transforms.failures import QueueError, UserError, WriteFailedError
from transforms.finite_queue import FiniteQueue
from transforms.listings import Listed
from transforms.process_wide import ProcessWide
from transforms.result_names import result_name
from transforms.settings import BackfillSettings, FetchSettings, ReceiveSettings

if TYPE_CHECKING:
    from transforms.objects import Objects

RECEIVE = ReceiveSettings("backfill:s3://logs/", idle_s=0, backfill=BackfillSettings((("logs", ""),)))
SETTINGS = Settings(
    replace(RECEIVE, key_globs=("*.gz",)),
    fetch=FetchSettings(asks_ledger_always=True),
    run=RunSettings(dry_run=True),
    is_bounded=True,
)
KEYS = [*(f"{number}.gz" for number in range(5)), "a.txt"]


def _nobody() -> NoReturn:
    raise AssertionError("a dry run fetches nothing")


def _outside(results: FakeStore) -> Outside:
    listed = [Listed("logs", key, f"etag of {key}", 10, CHANGED_AT, "STANDARD", None) for key in KEYS]
    queue = FiniteQueue(iter([*map(message_of, listed[:3]), None, *map(message_of, listed[3:])]))
    store = ProcessWide(lambda: results)
    return Outside(
        ProcessWide(lambda: queue), cast("ProcessWide[Objects]", ProcessWide(_nobody)), store, ProcessWide(_nobody)
    )


@pytest.fixture
def results() -> FakeStore:
    """Two of the objects are done."""
    store = FakeStore()
    for key in KEYS[:2]:
        store.put(result_name("logs", key, f"etag of {key}"), b"{}")
    return store


def test_it_says_how_much_is_listed_done_and_left(results: FakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    """And what does not count."""
    for name, amount in {"directory_markers": 1, "outside_time": 2, "listed_archived": 3}.items():
        EVENTS.count(name, amount)

    assert 0 == dry_run.run(SETTINGS, [], _outside(results))
    assert [
        "objects bytes",
        "listed 6 60",
        "filtered 1 10 by --key_glob, or under the job's own output",
        "already finished 2 20 have a result",
        "to process 3 30",
        "Not counted: 1 directory markers, 2 objects outside --since and --until.",
        "3 of the listed are in an archive class: what is not restored is set aside.",
    ] == [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_for_machines_it_is_json(results: FakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    """With --reprocess everything is left to do."""
    settings = replace(SETTINGS, fetch=FetchSettings(reprocess=True), run=RunSettings(log_format="json"))

    assert 0 == dry_run.run(settings, [], _outside(results))
    said = json.loads(capsys.readouterr().out)
    assert {"objects": 5, "bytes": 50} == said["to_process"]
    assert (0, 6, 0) == (said["already_finished"]["objects"], said["listed"]["objects"], said["listed_archived"])


def test_any_number_of_objects_is_counted(
    results: FakeStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many at a time."""
    monkeypatch.setattr(dry_run, "BATCH", 2)

    assert 0 == dry_run.run(SETTINGS, [], _outside(results))
    assert "listed                          6                    60" in capsys.readouterr().out


def test_it_stores_nothing(results: FakeStore) -> None:
    """Not even to see whether it could."""
    before = sorted(results.names())
    dry_run.run(SETTINGS, [], _outside(results))

    assert before == sorted(results.names())


def test_a_ledger_that_does_not_answer_ends_it_with_a_sentence() -> None:
    """Nothing can be said then."""

    class _Down(FakeStore):
        def exists(self, name: str) -> bool:
            raise WriteFailedError("503")

    with pytest.raises(UserError, match="--output cannot be asked for results: 503"):
        dry_run.run(SETTINGS, [], _outside(_Down()))


def test_a_listing_that_goes_on_failing_ends_it_with_a_sentence() -> None:
    """A sum of a part would be taken for all."""

    class _Denied:
        def __iter__(self) -> _Denied:
            return self

        def __next__(self) -> NoReturn:
            raise QueueError("the listing fails: s3://logs/: 403 AccessDenied")

    outside = replace(_outside(FakeStore()), queue=ProcessWide(lambda: FiniteQueue(_Denied())))

    with pytest.raises(UserError, match="backfill:s3://logs/ cannot be listed: the listing fails: s3://logs/: 403"):
        dry_run.run(SETTINGS, [], outside)


def test_a_mistake_is_found_as_by_the_job() -> None:
    """Or the job would refuse what was just counted."""
    with pytest.raises(UserError, match="--no_such is not an option"):
        dry_run.run(SETTINGS, ["--no_such"], _outside(FakeStore()))


def test_the_command_counts_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many --pipelines there will be; without a supervisor."""
    monkeypatch.setattr(__main__, "configure", lambda level, log_format, *, pipeline: None)
    monkeypatch.setattr(dry_run, "run", lambda settings, rest: settings.run.pipelines)

    assert 4 == main(["--backfill=s3://logs", "--dry_run", "--pipelines=4"])
