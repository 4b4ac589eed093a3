"""SQS's JSON protocol over the stand-in's queue: what boto3 asks, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from benchmarks.http_server import Connection, Request, response

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sqs_book import SqsBook

_TARGET = re.compile(rb"\r\nx-amz-target: *AmazonSQS\.(\w+)", re.IGNORECASE)
_JSON = b"Content-Type: application/x-amz-json-1.0"
_LOOK_AGAIN_S = 0.02
"""How often a long poll looks at the queue."""
QUEUE_PATH = "/123456789012/bench"


class SqsApi:
    """Answers requests for one queue; `on_receive` and `on_delete` hear of every one that did something."""

    def __init__(
        self, book: SqsBook, *, hold_s: float, on_receive: Callable[[], None], on_delete: Callable[[], None]
    ) -> None:
        """Serve `book`, but hand out nothing in the first `hold_s` after somebody first asked."""
        self._book = book
        self._hold_s = hold_s
        self._opens_at: float | None = None
        self._on_receive = on_receive
        self._on_delete = on_delete

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer one request."""
        target = _TARGET.search(request.head)
        asked = json.loads(request.body) if request.body else {}
        match target[1].decode() if target else None:
            case "ReceiveMessage":
                wait_until = asyncio.get_running_loop().time() + asked.get("WaitTimeSeconds", 0)
                self._receive(asked, connection, wait_until)
            case "DeleteMessageBatch":
                connection.reply(_ok(self._delete(asked["Entries"])))
            case "DeleteMessage":
                self._delete([{"Id": "only", **asked}])
                connection.reply(_ok({}))
            case "ChangeMessageVisibilityBatch":
                connection.reply(_ok(self._change(asked["Entries"])))
            case "GetQueueAttributes":
                connection.reply(_ok({"Attributes": self._attributes()}))
            case other:
                problem = {"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": f"{other} is not played here"}
                connection.reply(response(b"400 Bad Request", json.dumps(problem).encode(), _JSON))

    def _receive(self, asked: dict[str, Any], connection: Connection, wait_until: float) -> None:
        """Answer messages, or look again until the long poll is over."""
        if not connection.is_open:
            return
        loop = asyncio.get_running_loop()
        messages = self._messages(asked, loop.time())
        if not messages and loop.time() < wait_until:
            loop.call_later(_LOOK_AGAIN_S, self._receive, asked, connection, wait_until)
            return
        body = b'{"Messages":[%b]}' % b",".join(messages) if messages else b"{}"
        connection.reply(response(b"200 OK", body, _JSON))
        if messages:
            self._on_receive()

    def _messages(self, asked: dict[str, Any], now: float) -> list[bytes]:
        if self._opens_at is None:
            self._opens_at = now + self._hold_s
        if now < self._opens_at:
            return []
        return self._book.receive(asked.get("MaxNumberOfMessages", 1), asked.get("VisibilityTimeout", 30))

    def _delete(self, entries: list[dict[str, str]]) -> dict[str, Any]:
        for entry in entries:
            self._book.delete(entry["ReceiptHandle"])
        self._on_delete()
        return {"Successful": [{"Id": entry["Id"]} for entry in entries]}

    def _change(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        done: list[str] = []
        refused: list[str] = []
        for entry in entries:
            is_held = self._book.change_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            (done if is_held else refused).append(entry["Id"])
        failures = [{"Id": each, "Code": "MessageNotInflight", "SenderFault": True} for each in refused]
        return {"Successful": [{"Id": each} for each in done], "Failed": failures}

    def _attributes(self) -> dict[str, str]:
        return {
            "QueueArn": "arn:aws:sqs:us-east-1:123456789012:bench",
            "ApproximateNumberOfMessages": str(self._book.waiting),
            "ApproximateNumberOfMessagesNotVisible": str(self._book.held),
            "ApproximateNumberOfMessagesDelayed": "0",
            "VisibilityTimeout": "30",
        }


def _ok(answer: dict[str, Any]) -> bytes:
    return response(b"200 OK", json.dumps(answer).encode(), _JSON)
