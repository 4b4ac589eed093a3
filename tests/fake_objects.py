"""Source objects in memory, with faults on demand, reached by name so that a pickled step finds the test's own."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.failures import ObjectGoneError
from transforms.objects import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.records import ObjectRef

_instances: dict[str, FakeObjects] = {}
_making = threading.Lock()


def fake_objects(name: str) -> FakeObjects:
    """Answer the instance of this name, made on first use; `functools.partial(fake_objects, name)` pickles."""
    with _making:
        return _instances.setdefault(name, FakeObjects())


@dataclass(frozen=True, slots=True)
class Opened:
    """One call of `open`."""

    ref: ObjectRef
    offset: int
    if_match: str | None


@dataclass(frozen=True, slots=True)
class _Stored:
    data: bytes
    etag: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class _Fault:
    error: BaseException
    after_bytes: int | None


class FakeObjects:
    """Implements `transforms.objects.Objects`. Safe to call from several threads."""

    def __init__(self, *, chunk_bytes: int = 64 * 1024) -> None:
        """Bodies come in chunks of `chunk_bytes`."""
        self.chunk_bytes = chunk_bytes
        self.opens: list[Opened] = []
        """Every call of `open`, the failed ones too."""
        self._versions: dict[tuple[str, str], list[_Stored]] = {}
        self._faults: deque[_Fault] = deque()

    def put(
        self, bucket: str, key: str, data: bytes, *, etag: str | None = None, version_id: str | None = None
    ) -> ObjectInfo:
        """Store an object; with a version id beside its other versions, else instead of them."""
        stored = _Stored(data, etag or hashlib.sha256(data).hexdigest()[:32], version_id)
        others = self._versions.get((bucket, key), []) if version_id is not None else []
        self._versions[bucket, key] = [*others, stored]
        return ObjectInfo(stored.etag, stored.version_id, len(data))

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object with all its versions."""
        self._versions.pop((bucket, key), None)

    def fail_next(self, error: BaseException, after_bytes: int | None = None) -> None:
        """Fail the next `open` that has no fault yet: at once, or its body after so many bytes of it."""
        self._faults.append(_Fault(error, after_bytes))

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
        self.opens.append(Opened(ref, offset, if_match))
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and fault.after_bytes is None:
            raise fault.error
        stored = self._find(ref)
        if if_match is not None and if_match != stored.etag:
            raise ObjectGoneError(f"{ref.url} has ETag {stored.etag}, asked for {if_match}")
        info = ObjectInfo(stored.etag, stored.version_id, len(stored.data))
        return FakeOpenObject(info, stored.data[offset:], self.chunk_bytes, fault)

    def _find(self, ref: ObjectRef) -> _Stored:
        for stored in reversed(self._versions.get((ref.bucket, ref.key), [])):
            if ref.version_id in {None, stored.version_id}:
                return stored
        raise ObjectGoneError(f"there is no {ref.url}, version {ref.version_id}")


class FakeOpenObject:
    """Implements `transforms.objects.OpenObject`."""

    def __init__(self, info: ObjectInfo, body: bytes, chunk_bytes: int, fault: _Fault | None) -> None:
        self.info = info
        self._body = body
        self._chunk_bytes = chunk_bytes
        self._fault = fault

    def chunks(self) -> Iterator[bytes]:
        sound = self._body if self._fault is None else self._body[: self._fault.after_bytes]
        for start in range(0, len(sound), self._chunk_bytes):
            yield sound[start : start + self._chunk_bytes]
        if self._fault is not None:
            raise self._fault.error
