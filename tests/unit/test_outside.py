"""What the settings say of the outside is what is opened."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from pipeline.options import Settings
from pipeline.outside import Outside
from tests.builders import QUEUE_URL
from transforms.directory_objects import DirectoryObjects
from transforms.failures import UserError
from transforms.finite_queue import FiniteQueue
from transforms.s3_objects import S3Objects
from transforms.settings import FetchSettings, ReceiveSettings
from transforms.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from pathlib import Path


def test_a_queue_and_s3_are_what_a_live_job_asks() -> None:
    """Neither is asked yet."""
    outside = Outside.of(Settings(ReceiveSettings(QUEUE_URL)))

    assert isinstance(outside.queue.get(), SqsQueue)
    assert isinstance(outside.objects.get(), S3Objects)


def test_files_are_what_a_replay_reads(tmp_path: Path) -> None:
    """In whichever process it runs."""
    (tmp_path / "a.jsonl").write_text("one\ntwo\n")
    receive = ReceiveSettings("replay:a", replay=f"{tmp_path}/*.jsonl")
    outside = Outside.of(Settings(receive, fetch=FetchSettings(objects=str(tmp_path))))

    queue, objects = (handle.get() for handle in pickle.loads(pickle.dumps((outside.queue, outside.objects))))  # noqa: S301 - our own

    assert isinstance(queue, FiniteQueue)
    assert ["one", "two"] == [m.body for m in queue.receive(max_messages=9, wait_s=0, visibility_timeout_s=60)]
    assert isinstance(objects, DirectoryObjects)


def test_a_recording_that_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    """Found out when it is opened: at the start."""
    outside = Outside.of(Settings(ReceiveSettings("replay:a", replay=f"{tmp_path}/*.jsonl")))

    with pytest.raises(UserError, match="there is no such file"):
        outside.queue.get()
