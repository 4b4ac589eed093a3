"""A real HTTP proxy before the stand-in for AWS, which breaks what it is told to, and keeps the order of events.

S3 and SQS have a port each, so that one of them can refuse connections. A request is in the log when it has been
answered by the server, whether or not its client ever saw the answer: what it did is done.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tests.faults.answers import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any

LIMIT = 64 * 1024 * 1024
SMALL = 64 * 1024
HEADERS_END = b"\r\n\r\n"


@dataclass(slots=True, eq=False)
class Event:
    """One request and what became of it."""

    service: str
    operation: str
    """`ReceiveMessage` and so on; of S3 the method."""
    bucket: str = ""
    key: str = ""
    offset: int = 0
    """Of a range, where it begins."""
    handles: tuple[str, ...] = ()
    """The receipt handles that it names."""
    delays_s: tuple[int, ...] = ()
    """Of a change of visibility."""
    begun_at: float = 0.0
    ended_at: float = 0.0
    """When the server had answered; 0 if it was never asked."""
    status: int = 0
    """The server's; 0 if it was never asked."""
    messages: tuple[tuple[str, str, int, str], ...] = ()
    """Received: message id, receipt handle, receive count, body."""
    fault: str = ""
    body: bytes = b""
    """Of a small PUT."""


@dataclass(slots=True, eq=False)
class Fault:
    """What to do to requests: `times` of them, or all while it is on."""

    what: str
    """`503`, `403`, `echo 403` (the refusal repeats the request's head), `hang up`, `stall`, `cut`, `lose the answer`,
    `late`, `lie`, or `drip` (the body takes `seconds`)."""
    applies: Callable[[Event], bool]
    times: int | None = None
    seconds: float = 0.0
    answer: Callable[[Event], AsyncIterator[bytes]] | None = None
    """Of a `lie`: what is said instead of the server's answer, piece by piece; then the connection ends."""
    hits: int = 0


@dataclass(slots=True)
class _Message:
    """A request's or an answer's bytes."""

    head: bytes
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Proxy:
    """Started by making it, stopped by `stop`. All methods are safe to call from any thread."""

    def __init__(self, upstream: str) -> None:
        """`upstream` is the stand-in's URL."""
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._faults: list[Fault] = []
        self._events: list[Event] = []
        self.watch: Callable[[Event], None] | None = None
        """Told of each event instead of the log, which would grow for hours; called in the proxy's thread."""
        self._changed = threading.Condition()
        self._ports = {"s3": 0, "sqs": 0}
        self._servers: dict[str, asyncio.Server] = {}
        self._connections: dict[str, set[asyncio.StreamWriter]] = {"s3": set(), "sqs": set()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        for service in self._ports:
            self._ask(self._listen(service))

    def url(self, service: str) -> str:
        """Where `s3` or `sqs` is."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def stop(self) -> None:
        """End every connection and the thread."""
        for service in self._ports:
            self._ask(self._refuse(service))
        self._ask(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(
        self,
        what: str,
        applies: Callable[[Event], bool] = lambda _: True,
        *,
        times: int | None = None,
        seconds: float = 0.0,
    ) -> Fault:
        """Begin a fault."""
        fault = Fault(what, applies, times, seconds)
        self._faults = [*self._faults, fault]
        return fault

    def lie(
        self,
        answer: Callable[[Event], AsyncIterator[bytes]],
        applies: Callable[[Event], bool],
        times: int | None = None,
    ) -> None:
        """Answer requests without asking the server."""
        self._faults = [*self._faults, Fault("lie", applies, times, answer=answer)]

    def end(self, fault: Fault) -> None:
        """End a fault."""
        self._faults = [other for other in self._faults if other is not fault]

    @contextmanager
    def fault(self, what: str, applies: Callable[[Event], bool] = lambda _: True) -> Iterator[Fault]:
        """Break what `applies` says while the block lasts. Ending it lets go of whoever is stalled, too."""
        fault = self.add(what, applies)
        try:
            yield fault
        finally:
            self.end(fault)

    @contextmanager
    def refused(self, service: str) -> Iterator[None]:
        """Refuse connections to a service while the block lasts."""
        self._ask(self._refuse(service))
        try:
            yield
        finally:
            self._ask(self._listen(service))

    @property
    def events(self) -> list[Event]:
        """What was asked up to now, in the order in which the server had done it."""
        with self._changed:
            return list(self._events)

    def receives(self) -> Counter[str]:
        """Count the receives of each message, as the server counts them."""
        counts: Counter[str] = Counter()
        for event in self.events:
            for message_id, _, count, _ in event.messages:
                counts[message_id] = max(counts[message_id], count)
        return counts

    @property
    def is_idle(self) -> bool:
        """Whether nobody is connected; a request is passed on to its end, even if its client is dead by then."""
        return not self._tasks

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Return once the log makes `condition` true; whether it did."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    # ── in the proxy's thread

    def _ask(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self, service: str) -> None:
        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if service not in self._servers:  # it was accepted at the last moment
                writer.transport.abort()
                return
            self._connections[service].add(writer)
            task = self._loop.create_task(self._serve(service, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: writer.transport.abort())

        server = await asyncio.start_server(serve, "127.0.0.1", self._ports[service], limit=LIMIT, backlog=512)
        self._servers[service] = server
        self._ports[service] = server.sockets[0].getsockname()[1]

    async def _refuse(self, service: str) -> None:
        server = self._servers.pop(service)
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(0.01)  # what was accepted has a transport now, which a closed server would not take
        server.close()
        for writer in list(self._connections[service]):
            writer.transport.abort()

    async def _finish(self) -> None:
        """End every connection's task, and let the transports close."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    async def _serve(self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while (request := await _read(reader)) is not None:
                if upstream is None:
                    upstream = await asyncio.open_connection(*self._upstream, limit=LIMIT)
                if not await self._pass_on(service, request, writer, upstream):
                    break
        except (OSError, EOFError, asyncio.IncompleteReadError):
            pass  # somebody hung up, which is nobody's fault here
        finally:
            self._connections[service].discard(writer)
            if upstream is not None:
                upstream[1].transport.abort()

    async def _pass_on(
        self,
        service: str,
        request: _Message,
        writer: asyncio.StreamWriter,
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        """Treat one request; whether the connection lives on."""
        event = _event(service, request)
        fault = self._fault_of(event)
        what, event.fault = (fault.what, fault.what) if fault else ("", "")
        if what.startswith("echo "):
            self._log(event)
            writer.write(refusal(event, int(what.removeprefix("echo ")), request.head.decode("latin-1")))
            await writer.drain()
            return True
        if what in {"hang up", "stall", "lie"} or what.isdigit():
            self._log(event)
            return await self._answer_here(event, writer, fault)
        if what == "late" and fault is not None:
            await asyncio.sleep(fault.seconds)
        upstream[1].write(request.head + request.body)
        await upstream[1].drain()
        answer = await _read(upstream[0], bodiless=event.operation == "HEAD")
        if answer is None:
            return False
        self._note_answer(event, answer)
        if what == "drip" and fault is not None:
            await _drip(writer, answer, fault.seconds)
        elif what == "cut":
            writer.write(answer.head + answer.body[: len(answer.body) // 2])
        elif what != "lose the answer":
            writer.write(answer.head + answer.body)
        await writer.drain()
        lives = what not in {"cut", "lose the answer"}
        return lives and "close" not in answer.headers.get("connection", "").lower()

    async def _answer_here(self, event: Event, writer: asyncio.StreamWriter, fault: Fault | None) -> bool:
        """Refuse a request without asking the server, lie, or say nothing for as long as the fault lasts."""
        if event.fault.isdigit():
            writer.write(refusal(event, int(event.fault)))
            await writer.drain()
            return True
        if fault is not None and fault.answer is not None:
            async for piece in fault.answer(event):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)  # where the client takes all at once, others have their turn too
            writer.close()
            await writer.wait_closed()  # an abort would take back what is on its way
        if event.fault == "stall":
            while fault in self._faults:  # noqa: ASYNC110 - another thread ends it
                await asyncio.sleep(0.05)
        return False

    def _fault_of(self, event: Event) -> Fault | None:
        for fault in self._faults:
            if (fault.times is None or fault.hits < fault.times) and fault.applies(event):
                fault.hits += 1
                return fault
        return None

    def _note_answer(self, event: Event, answer: _Message) -> None:
        event.status, event.ended_at = int(answer.head.split(b" ", 2)[1]), time.monotonic()
        if event.operation == "ReceiveMessage" and event.status == 200:
            event.messages = tuple(
                (m["MessageId"], m["ReceiptHandle"], int(m["Attributes"]["ApproximateReceiveCount"]), m["Body"])
                for m in json.loads(answer.body).get("Messages", ())
            )
        self._log(event)

    def _log(self, event: Event) -> None:
        if self.watch is not None:
            self.watch(event)
            return
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()


async def _read(reader: asyncio.StreamReader, *, bodiless: bool = False) -> _Message | None:
    """Read one request or answer whole; None at the end."""
    try:
        head = await reader.readuntil(HEADERS_END)
    except asyncio.IncompleteReadError:
        return None
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    }
    body = b""
    if bodiless:
        pass
    elif "chunked" in headers.get("transfer-encoding", ""):
        while True:
            size = await reader.readline()
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            body += size + chunk
            if len(chunk) == 2:  # the empty chunk is the last
                break
    elif length := int(headers.get("content-length") or 0):
        body = await reader.readexactly(length)
    return _Message(head, body, headers)


async def _drip(writer: asyncio.StreamWriter, answer: _Message, seconds: float) -> None:
    """Send the body in ten pieces over `seconds`."""
    writer.write(answer.head)
    piece = -(-len(answer.body) // 10)
    for start in range(0, len(answer.body), piece or 1):
        await asyncio.sleep(seconds / 10)
        writer.write(answer.body[start : start + piece])
        await writer.drain()


def _event(service: str, request: _Message) -> Event:
    method, target, _ = request.head.decode("latin-1").split(" ", 2)
    event = Event(service, method, begun_at=time.monotonic())
    if service == "sqs":
        event.operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        asked: dict[str, Any] = {}
        with suppress(ValueError):
            asked = json.loads(request.body)
        entries = asked.get("Entries", ())
        event.handles = tuple(entry["ReceiptHandle"] for entry in entries if "ReceiptHandle" in entry)
        event.delays_s = tuple(entry.get("VisibilityTimeout", 0) for entry in entries)
    else:
        event.bucket, _, event.key = unquote(urlsplit(target).path).removeprefix("/").partition("/")
        event.offset = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if method == "PUT" and len(request.body) <= SMALL:
            event.body = request.body
    return event
