"""What the status page is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aggregates import Aggregate
from pipeline.options import Settings
from pipeline.web.history import History
from pipeline.web.status import Status, status_of
from tests.builders import QUEUE_URL, a_delivery, an_object_ref
from tests.views import a_snapshot, a_tally, a_view
from transforms.failures import FailureKind
from transforms.records import Failure
from transforms.settings import ReceiveSettings, WriteSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aggregates import View
    from pipeline.backlog import QueueState
    from transforms.events import EventLog

SETTINGS = Settings(ReceiveSettings(QUEUE_URL))
NOW = 1_700_000_060.0


def _status(*views: View, settings: Settings = SETTINGS) -> Status:
    return status_of(views, History(), settings, now=NOW)


def _received(events: EventLog) -> None:
    events.received()


def _failure(message_id: str = "m", kind: FailureKind = FailureKind.UNAVAILABLE, detail: str = "503") -> Failure:
    delivery = a_delivery(message_id=message_id)
    return Failure(delivery, 0, an_object_ref(delivery=delivery), kind, detail, "Error")


def _queue(at: float, visible: int) -> QueueState:
    return {"at": at, "visible": visible, "hidden": 2, "delayed": 3}


@pytest.mark.parametrize(
    ("view", "condition"),
    [
        (a_view(a_snapshot(answered_s=None)), "starting"),
        (Aggregate(1).view(), "starting"),
        (a_view(a_snapshot()), "waiting"),
        (a_view(a_snapshot(a_tally(_received), held=1)), "running"),
        (a_view(a_snapshot(a_tally(_received), queue=_queue(NOW, 1))), "running"),
        (a_view(a_snapshot(a_tally(_received), queue=_queue(NOW, 0))), "quiet"),
        (a_view(a_snapshot(outage={"source": 1.0})), "outage"),
        (a_view(a_snapshot(answered_s=None, trouble="503")), "trouble"),
        (a_view(a_snapshot(flow_idle_s=99.0)), "trouble"),
        (a_view(a_snapshot(stopping=True, outage={"source": 1.0})), "stopping"),
        (a_view(a_snapshot(), state="ended"), "ended"),
    ],
)
def test_one_word_says_how_it_is(view: View, condition: str) -> None:
    """What needs a person comes first."""
    assert condition == _status(view)["condition"]


def test_it_is_plain_json() -> None:
    """With everything that a page may ask of it."""
    told = _status(a_view(a_snapshot(a_tally(lambda e: e.failed(_failure())), held=1, queue=_queue(NOW, 5))))

    assert told == json.loads(json.dumps(told, allow_nan=False))
    assert (QUEUE_URL, "output", 200) == tuple(told["job"][name] for name in ("queue_url", "output", "max_in_flight"))


def test_what_is_wrong_is_told_in_the_sentences_of_readyz() -> None:
    """The same, so that nobody wonders which is right."""
    assert ["pipeline 1: SQS gives no messages: 503"] == _status(a_view(a_snapshot(answered_s=None, trouble="503")))[
        "faults"
    ]


def test_an_outage_is_told_with_what_fails_since_when_and_why() -> None:
    """The longest counts; a failure that the guard does not watch is not the reason."""

    def fails(events: EventLog) -> None:
        events.failed(_failure(detail="refused"))
        events.failed(_failure(kind=FailureKind.PROCESSOR_ERROR, detail="KeyError"))
        events.failed(_failure(kind=FailureKind.WRITE_FAILED, detail="disk full"))

    one = a_view(a_snapshot(a_tally(fails), outage={"source": 61.0}))
    other = a_view(a_snapshot(outage={"source": 7.0, "output": 3.0}), number=2)

    assert [
        {"what": "reading objects", "lasted_s": 61.0, "pipelines": [1, 2], "last": "unavailable: refused"},
        {"what": "writing results", "lasted_s": 3.0, "pipelines": [2], "last": None},
    ] == _status(one, other)["outages"]


def test_the_queue_is_what_was_said_last_with_its_age_and_the_longest_wait() -> None:
    """All pipelines ask the same queue."""
    old, new = a_snapshot(queue=_queue(NOW - 50, 7)), a_snapshot(queue=_queue(NOW - 10, 5))
    old["tally"]["longest_wait_s"] = 42.0
    told = _status(a_view(old), a_view(new), a_view(None))["queue"]

    assert {**_queue(NOW - 10, 5), "asked_s": 10.0, "longest_wait_s": 42.0} == told
    assert None is _status(a_view(a_snapshot()))["queue"]


def test_the_oldest_of_all_pipelines_come_first_and_age_since_they_were_told() -> None:
    """Ten of them; their pipeline is told."""

    def holding(*ages_s: float) -> Any:  # noqa: ANN401 - a snapshot
        snapshot = a_snapshot(held=len(ages_s))
        for age_s in ages_s:
            snapshot["in_flight"]["oldest"].append(
                {"message_id": "m", "object": None, "stage": "in_hand", "age_s": age_s, "attempt": 1}
            )
        return snapshot

    one, other = a_view(holding(9.0, 2.0), ago_s=1.0), a_view(holding(*[5.0] * 12), number=2)
    told = _status(one, other)["oldest"]

    assert [(10.0, 1), *[(5.0, 2)] * 9] == [(message["age_s"], message["pipeline"]) for message in told]


def test_the_newest_failures_of_all_pipelines_come_first() -> None:
    """Twenty of them."""

    def failing(message_id: str, at: float) -> Callable[[EventLog], None]:
        def do(events: EventLog) -> None:
            events._now = lambda: at
            for _ in range(15):
                events.failed(_failure(message_id))

        return do

    one = a_view(a_snapshot(a_tally(failing("old", NOW - 9))))
    other = a_view(a_snapshot(a_tally(failing("new", NOW - 1))), number=2)
    told = _status(one, other)["failures"]

    assert [("new", 2)] * 15 + [("old", 1)] * 5 == [(failure["message_id"], failure["pipeline"]) for failure in told]
    assert {None} == {failure["dead_letter"] for failure in told}


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("out/dead letters", f"{Path.cwd().as_uri()}/out/dead%20letters/m-0.json"),
        ("/var/out", "file:///var/out/m-0.json"),
        ("file:///var/out/", "file:///var/out/m-0.json"),
        ("s3://bucket/prefix/", "s3://bucket/prefix/m-0.json"),
    ],
)
def test_a_dead_letter_has_the_address_where_it_is_stored(location: str, url: str) -> None:
    """A directory's is that of its file."""
    settings = replace(SETTINGS, write=WriteSettings(dead_letters=location))
    view = a_view(a_snapshot(a_tally(lambda events: events.set_aside(_failure(), "m-0.json"))))

    assert [url] == [failure["dead_letter"] for failure in _status(view, settings=settings)["failures"]]


def test_each_pipeline_is_told_by_itself() -> None:
    """With what it does, and its own figures."""
    one, other = _status(
        a_view(a_snapshot(a_tally(_received), held=1), crashes=2), a_view(None, number=2, state="starting", ago_s=3)
    )["pipelines"]

    assert (1, "running", 2, 1) == (one["number"], one["state"], one["crashes"], one["figures"]["counts"]["received"])
    assert (2, "starting", 3.0, None) == (other["number"], other["state"], other["state_s"], other["vitals"])
