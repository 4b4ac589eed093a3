"""What other tests believe of the fakes; the cases that a moto server can judge too are in `tests/integration`."""

from __future__ import annotations

import pytest

from tests.fakes import FakeClock, FakeQueue, FakeStore
from tests.store_contract import StoreContract
from transforms.failures import QueueError
from transforms.queues import Receipt


class TestFakeStore(StoreContract):
    """It keeps what every store promises."""

    @pytest.fixture
    def store(self) -> FakeStore:
        """Begin with nothing stored."""
        return FakeStore()


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_has_one_to_ten_entries(size: int) -> None:
    """AWS refuses the whole request otherwise, and nothing of it is done."""
    queue = FakeQueue(clock=FakeClock())
    for number in range(11):
        queue.send(str(number))
    messages = [queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=60)[0] for _ in range(11)]
    receipts = [Receipt(message.message_id, message.receipt_handle) for message in messages[:size]]

    with pytest.raises(QueueError):
        queue.delete(receipts)
    with pytest.raises(QueueError):
        queue.change_visibility(receipts, [0] * size)

    assert 11 == len(queue.message_ids())
    assert [] == queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=60)
