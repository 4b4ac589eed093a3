"""Whatever happens in whatever order, a message is deleted only when nothing of it can be lost.

A queue, and the queue's side of one process after the other, driven by hand: no threads, and time passes when a rule
says so. What the flow does between receiving and settling is played by the rules.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.builders import QUEUE_URL, a_notification, a_test_event
from tests.by_hand import BatcherByHand, Waits
from tests.fakes import FakeClock, FakeQueue, FakeStore
from transforms.consumers import STALE_S, Consumer
from transforms.events import EVENTS
from transforms.failures import OUTSIDE_KINDS, FailureKind
from transforms.leases import Stage
from transforms.outages import MAX_PROBE_DELAY_S
from transforms.records import Door, Failure, Finished, ObjectRef, Result
from transforms.result_names import dead_letter_name, result_name
from transforms.settings import LeaseSettings, ReceiveSettings, WriteSettings
from transforms.settling import Settler, settle

if TYPE_CHECKING:
    from transforms.settling import Outcome

VISIBILITY_S = 60
GIVE_UP_AFTER = 2
MAX_IN_FLIGHT = 4
OBJECT_BYTES = 10
ROUNDS = 200
"""After so many quiet rounds nothing may be left, whatever had happened before."""

FAILURES = [kind for kind in FailureKind if kind is not FailureKind.RECEIVED_TOO_OFTEN]


class Acknowledgement(RuleBasedStateMachine):
    """One queue and its messages; a process that may crash at any time."""

    @initialize(messages=st.lists(st.integers(1, 3), min_size=1, max_size=5))
    def begin(self, messages: list[int]) -> None:
        """Some messages, of so many objects each, are there already."""
        self.clock = FakeClock()
        self.queue = FakeQueue(clock=self.clock)
        self.results = FakeStore()
        self.dead_letters = FakeStore()
        self.keys: dict[str, list[str]] = {}
        """By message id: the keys it speaks of, none if there is nothing to do for it."""
        self.junk: set[str] = set()
        self.given_up: set[str] = set()
        self.in_flow: list[ObjectRef | Finished | Failure] = []
        self.settled: list[Outcome] = []
        self.start_process()
        for objects in messages:
            self.send_notification(objects)

    def start_process(self) -> None:
        """Start a process that knows of nothing."""
        EVENTS.reset()
        self.stop = threading.Event()
        self.consumer = Consumer(
            self.queue,
            ReceiveSettings(QUEUE_URL, give_up_after=GIVE_UP_AFTER),
            LeaseSettings(
                visibility_timeout_s=VISIBILITY_S, max_in_flight=MAX_IN_FLIGHT, max_in_flight_bytes=3 * OBJECT_BYTES
            ),
            stop=self.stop,
            clock=self.clock,
            batcher=BatcherByHand,
        )
        self.consumer.acknowledger._closed = Waits()
        self.settler = Settler(
            WriteSettings(give_up_after=GIVE_UP_AFTER),
            results=self.results,
            dead_letters=self.dead_letters,
            guard=self.consumer.guard,
        )

    # ── what comes

    @rule(objects=st.integers(1, 3))
    def send_notification(self, objects: int) -> None:
        """S3 tells of new objects."""
        keys = [f"{len(self.keys)}-{number}" for number in range(objects)]
        self.keys[self.queue.send(a_notification(*keys, size=OBJECT_BYTES))] = keys

    @rule(body=st.sampled_from([a_test_event(), "junk"]))
    def send_something_else(self, body: str) -> None:
        """S3 says that it is there; others write to the queue as well."""
        message_id = self.queue.send(body)
        self.keys[message_id] = []
        if body == "junk":
            self.junk.add(message_id)

    # ── what the process does

    @rule()
    def receive(self) -> None:
        """A poll is answered."""
        if reserved := self.consumer.reserve():
            asked_at = self.clock()
            messages = self.queue.receive(max_messages=reserved, wait_s=0, visibility_timeout_s=VISIBILITY_S)
            self.consumer.admit(messages, reserved=reserved, asked_at=asked_at)

    @rule()
    def receive_and_take(self) -> None:
        """As most of the time."""
        self.receive()
        self.take_if_busy()

    @rule()
    def lose_an_answer(self) -> None:
        """SQS hides messages that never arrive."""
        if reserved := self.consumer.reserve():
            self.queue.receive(max_messages=reserved, wait_s=0, visibility_timeout_s=VISIBILITY_S)
            self.consumer.receive_failed(reserved)

    @precondition(lambda self: self.consumer.busy)
    @rule()
    def take(self) -> None:
        """The first step hands on what may be started."""
        self.in_flow += self.consumer.take(0)

    @precondition(lambda self: self.in_flow)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        """A record reaches the last step with all that was to be done for it."""
        outcome = self.one_of_the_flow(data)
        self.reach_the_door(Result(outcome, b"{}") if isinstance(outcome, ObjectRef) else outcome)

    @precondition(lambda self: self.in_flow)
    @rule(data=st.data(), kind=st.sampled_from(FAILURES))
    def fail(self, data: st.DataObject, kind: FailureKind) -> None:
        """A record fails on its way."""
        self.reach_the_door(self.failed(self.one_of_the_flow(data), kind))

    @precondition(lambda self: self.in_flow)
    @rule(kind=st.sampled_from(sorted(OUTSIDE_KINDS)))
    def fail_everything(self, kind: FailureKind) -> None:
        """Something outside is down."""
        while self.in_flow:
            self.reach_the_door(self.failed(self.in_flow.pop(0), kind))

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        """A runner repeats an element that was settled long ago."""
        settle(self.consumer, data.draw(st.sampled_from(self.settled)))

    @rule()
    def acknowledge(self) -> None:
        """The senders send."""
        self.consumer.acknowledger.flush()
        list(self.consumer.acknowledger.settled())

    @rule()
    def extend(self) -> None:
        """The heart beats."""
        self.consumer._heartbeat.beat()

    # ── what happens to it

    @rule(seconds=st.sampled_from([1, STALE_S, VISIBILITY_S / 2, VISIBILITY_S, 1000, 4000]))
    def wait(self, seconds: float) -> None:
        """Time passes, with or without a heartbeat."""
        self.clock.advance(seconds)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """SQS delivers at least once."""
        self.queue.show(data.draw(st.sampled_from(sorted(self.keys))))

    @rule(entries=st.integers(1, 7))
    def refuse(self, entries: int) -> None:
        """SQS does not carry out the next entries of a batch."""
        self.queue.refuse_next(entries)

    @rule(are_down=st.booleans(), results=st.booleans())
    def break_stores(self, are_down: bool, results: bool) -> None:  # noqa: FBT001 - hypothesis names them
        """A store is down, or up again."""
        store = self.results if results else self.dead_letters
        store.is_down = are_down

    @rule()
    def begin_outage(self) -> None:
        """Other messages fail; from now on there are only probes, and the first one is due."""
        for message_id in ("x", "y", "z"):
            self.consumer.guard.failed(FailureKind.UNAVAILABLE, message_id, "503")
        self.clock.advance(1)

    @precondition(lambda self: self.consumer.guard.pausing)
    @rule()
    def fail_a_probe(self) -> None:
        """The outage is not over; what was probed with is due again after a while."""
        self.clock.advance(MAX_PROBE_DELAY_S)
        self.receive_and_take()
        self.fail_everything(FailureKind.UNAVAILABLE)
        self.clock.advance(MAX_PROBE_DELAY_S)
        self.take_if_busy()

    @rule(restored=st.booleans())
    def crash(self, restored: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """The process dies; its runner may have kept what was in the flow, and gives it to the next process."""
        if not restored:
            self.in_flow.clear()
        self.start_process()

    @rule(orderly=st.booleans())
    def stop_process(self, orderly: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """The process is stopped: what is in hand is settled, or comes back by itself."""
        self.stop.set()
        self.in_flow += self.consumer.take(0) if self.consumer.busy else []
        while orderly and self.in_flow:
            self.settle_first()
        self.in_flow.clear()
        self.consumer.close()
        self.start_process()

    # ── the promise

    @invariant()
    def a_message_is_deleted_only_if_every_record_of_it_is_stored_set_aside_or_ignored(self) -> None:
        """The promise of the whole project."""
        for message_id in self.keys.keys() - self.queue.message_ids():
            missing = [index for index in range(len(self.keys[message_id])) if not self.is_safe(message_id, index)]
            assert [] == missing, f"records of {message_id} are lost"
            assert message_id not in self.junk or self.dead_letters.exists(dead_letter_name(message_id, 0))

    @invariant()
    def bytes_and_room_are_accounted_for(self) -> None:
        """Or the process would stop receiving some day, or fill its memory."""
        book = self.consumer.book
        in_hand = [lease.size for lease in book.open_leases() if lease.stage is Stage.IN_HAND]
        assert 0 == book.reserved_count
        assert sum(in_hand) == book.bytes_in_hand

    @invariant()
    def what_was_received_is_settled_or_in_flight(self) -> None:
        """The balance that the metrics show: nothing is lost, and nothing counts twice."""
        tally, held = self.consumer.book.account()
        counts = Counter(tally["counts"])
        by_kind = sum(amount for event, amount in counts.items() if "/" in event)
        assert counts["received"] == sum(counts[door] for door in Door) + held["messages"]
        assert by_kind == sum(counts[door] for door in Door if door is not Door.STORED)
        assert held["bytes"] == sum(lease.size for lease in self.consumer.book.open_leases())

    @invariant()
    def what_may_kill_the_process_is_in_hand_alone(self) -> None:
        """What was received more than `GIVE_UP_AFTER` times was held by those that died."""
        in_hand = [lease for lease in self.consumer.book.open_leases() if lease.stage is Stage.IN_HAND]
        suspects = [
            lease
            for lease in in_hand
            if self.keys[lease.message_id] and GIVE_UP_AFTER < lease.delivery.receive_count <= 2 * GIVE_UP_AFTER
        ]
        assert suspects in ([], in_hand), "a crash would cost others a receive"
        assert len(suspects) < 2

    def teardown(self) -> None:
        """When all is well again, everything is done before long: nothing is held, hidden or forgotten."""
        if not hasattr(self, "queue"):
            return
        self.results.is_down = self.dead_letters.is_down = False
        for _ in range(ROUNDS):
            if not self.queue.message_ids() and not self.consumer.busy:
                break
            self.clock.advance(1000)
            self.take_if_busy()
            self.receive()
            self.take_if_busy()
            while self.in_flow:
                self.settle_first()
                self.acknowledge()
                self.a_message_is_deleted_only_if_every_record_of_it_is_stored_set_aside_or_ignored()
            self.acknowledge()

        assert set() == set(self.queue.message_ids())
        assert [] == self.consumer.book.open_leases()

    # ── helpers

    def one_of_the_flow(self, data: st.DataObject) -> ObjectRef | Finished | Failure:
        """Records finish in any order."""
        return self.in_flow.pop(data.draw(st.integers(0, len(self.in_flow) - 1)))

    def failed(self, outcome: ObjectRef | Finished | Failure, kind: FailureKind) -> Finished | Failure:
        """Say how an object failed; what is none passes through."""
        if not isinstance(outcome, ObjectRef):
            return outcome
        return Failure(outcome.delivery, outcome.index, outcome, kind, "no", "SomeError")

    def settle_first(self) -> None:
        """Let the oldest record succeed."""
        outcome = self.in_flow.pop(0)
        self.reach_the_door(Result(outcome, b"{}") if isinstance(outcome, ObjectRef) else outcome)

    def take_if_busy(self) -> None:
        """An idle take would wait."""
        self.consumer.taken_at = self.clock()
        if self.consumer.busy:
            self.take()

    def reach_the_door(self, record: Result | Failure | Finished) -> None:
        """Do as the last step does."""
        outcome = self.settler.store(record)
        if isinstance(record, Failure) and (outcome.kind, outcome.door) == ("received_too_often", Door.SET_ASIDE):
            self.given_up.add(record.delivery.message_id)
        settle(self.consumer, outcome)
        self.settled.append(outcome)

    def is_safe(self, message_id: str, index: int) -> bool:
        """Whether a record, or the whole message, is where somebody finds it."""
        names = [dead_letter_name(message_id, index)] + [dead_letter_name(message_id, 0)] * (
            message_id in self.given_up
        )
        key = self.keys[message_id][index]
        stored = self.results.exists(result_name("source-bucket", key, "d41d8cd98f00b204e9800998ecf8427e"))
        return stored or any(self.dead_letters.exists(name) for name in names)


Acknowledgement.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAcknowledgement = Acknowledgement.TestCase
