"""The same cases on the fake queue and on a moto server: what other tests believe of the fake, the real one does.

Needs no service but the moto server, which the fixture starts. Where moto and AWS differ, AWS decides.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.fakes import FakeQueue
from transforms import aws as transforms_aws
from transforms.failures import QueueError
from transforms.queues import Receipt
from transforms.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.queues import Message, Queue

REGION = "us-east-1"


class Sent:
    """A queue, and how a message gets into it."""

    def __init__(self, queue: Queue, send: Callable[[str], object]) -> None:
        self.queue = queue
        self.send = send

    def receive(self, *, max_messages: int = 10) -> list[Message]:
        """Receive for a minute, without waiting."""
        return self.queue.receive(max_messages=max_messages, wait_s=0, visibility_timeout_s=60)


@pytest.fixture(params=["fake", "moto"])
def sent(request: pytest.FixtureRequest) -> Sent:
    """Each case runs on both."""
    if request.param == "fake":
        fake = FakeQueue(clock=time.monotonic)
        return Sent(fake, fake.send)
    request.getfixturevalue("aws")
    client = transforms_aws.client("sqs", REGION)
    url = client.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
    return Sent(SqsQueue(url, REGION), lambda body: client.send_message(QueueUrl=url, MessageBody=body))


def _receipt(message: Message) -> Receipt:
    return Receipt(message.message_id, message.receipt_handle)


def test_a_receive_answers_at_most_as_many_as_asked_for(sent: Sent) -> None:
    """And at most ten, which is AWS's limit."""
    for number in range(12):
        sent.send(str(number))

    assert [3, 9] == [len(sent.receive(max_messages=3)), len(sent.receive() + sent.receive())]


def test_a_message_in_flight_is_not_received_again(sent: Sent) -> None:
    """Until its visibility timeout ends."""
    sent.send("body")

    assert (["body"], []) == ([message.body for message in sent.receive()], sent.receive())


def test_a_message_given_back_at_once_comes_again_with_a_higher_count_and_another_handle(sent: Sent) -> None:
    """The id stays."""
    sent.send("body")
    (first,) = sent.receive()

    refused = sent.queue.change_visibility([_receipt(first)], [0])
    (second,) = sent.receive()

    assert [] == refused
    assert (1, 2, True) == (first.receive_count, second.receive_count, first.message_id == second.message_id)
    assert first.receipt_handle != second.receipt_handle
    assert first.sent_at == second.sent_at


def test_a_message_given_back_for_later_stays_away(sent: Sent) -> None:
    """That is how a failed message waits."""
    sent.send("body")
    (message,) = sent.receive()

    sent.queue.change_visibility([_receipt(message)], [30])

    assert [] == sent.receive()


def test_several_messages_are_given_back_each_for_its_own_time(sent: Sent) -> None:
    """In one request."""
    sent.send("soon")
    sent.send("late")
    messages = sent.receive() + sent.receive()
    delays = [0 if message.body == "soon" else 30 for message in messages]

    sent.queue.change_visibility([_receipt(message) for message in messages], delays)

    assert ["soon"] == [message.body for message in sent.receive()]


def test_a_deleted_message_is_gone(sent: Sent) -> None:
    """For good: even its visibility cannot be changed."""
    sent.send("body")
    (message,) = sent.receive()

    refused = sent.queue.delete([_receipt(message)])
    late = sent.queue.change_visibility([_receipt(message)], [0])

    assert [] == refused
    assert [(message.message_id, True)] == [(refusal.message_id, refusal.expired) for refusal in late]
    assert [] == sent.receive()


def test_deleting_twice_is_no_trouble(sent: Sent) -> None:
    """A lost answer makes us ask again; SQS says yes, moto that the handle is old, and both are done."""
    sent.send("body")
    (message,) = sent.receive()
    sent.queue.delete([_receipt(message)])

    again = sent.queue.delete([_receipt(message)])

    assert all(refusal.expired for refusal in again)


def test_a_handle_that_never_was_is_an_old_one(sent: Sent) -> None:
    """Somebody else's message stays."""
    sent.send("body")

    refused = sent.queue.delete([Receipt("unknown", "no-such-handle")])

    assert [("unknown", True)] == [(refusal.message_id, refusal.expired) for refusal in refused]
    assert 1 == len(sent.receive())


def test_the_visibility_of_what_never_was_cannot_be_changed(sent: Sent) -> None:
    """One entry's refusal is not the others'."""
    sent.send("body")
    (message,) = sent.receive()

    refused = sent.queue.change_visibility([Receipt("unknown", "no-such-handle"), _receipt(message)], [0, 0])

    assert [("unknown", True)] == [(refusal.message_id, refusal.expired) for refusal in refused]
    assert 1 == len(sent.receive())


def test_a_delete_with_the_handle_of_an_earlier_receive_is_not_refused(sent: Sent) -> None:
    """Whether the message is then gone AWS leaves open; here it is."""
    sent.send("body")
    (first,) = sent.receive()
    sent.queue.change_visibility([_receipt(first)], [0])
    sent.receive()

    assert [] == sent.queue.delete([_receipt(first)])


def test_a_receive_of_more_than_ten_is_an_error(sent: Sent) -> None:
    """AWS refuses batches of more than ten as well; moto does not, so `test_fakes.py` has that case."""
    with pytest.raises(QueueError):
        sent.receive(max_messages=11)


def test_the_queue_says_how_many_messages_wait_and_how_many_are_in_flight(sent: Sent) -> None:
    """As text, as SQS does."""
    sent.send("a")
    sent.send("b")
    sent.receive(max_messages=1)

    attributes = sent.queue.attributes()

    assert ("1", "1") == (
        attributes["ApproximateNumberOfMessages"],
        attributes["ApproximateNumberOfMessagesNotVisible"],
    )


def test_what_is_sent_is_received_under_the_id_that_was_answered(sent: Sent) -> None:
    """To the character."""
    body = '{"key": "a b+ü \\u2028"}\n'

    message_id = sent.queue.send(body)
    (message,) = sent.receive()

    assert (message_id, body, 1) == (message.message_id, message.body, message.receive_count)


def test_sending_to_a_queue_that_does_not_exist_is_a_permanent_error(aws: str) -> None:
    """As above."""
    with pytest.raises(QueueError) as caught:
        SqsQueue(f"{aws}/123456789012/no-such-queue", REGION).send("{}")

    assert caught.value.permanent


def test_a_queue_that_does_not_exist_is_a_permanent_error(aws: str) -> None:
    """Only of the real client: there is no fake of nothing."""
    queue = SqsQueue(f"{aws}/123456789012/no-such-queue", REGION)

    with pytest.raises(QueueError) as caught:
        queue.attributes()

    assert caught.value.permanent
