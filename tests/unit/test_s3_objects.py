"""What does not need a server; `integration/test_s3_objects.py` has the rest."""

from __future__ import annotations

import pytest

from transforms.failures import BrokenTransferError
from transforms.objects import ObjectInfo
from transforms.s3_objects import _Opened


@pytest.mark.parametrize("body", [b"123", b"12345"])
def test_bytes_are_counted_whatever_the_client_says(body: bytes) -> None:
    """Both clients notice a cut themselves; this is for the day that one of them does not."""
    opened = _Opened("s3://b/k", ObjectInfo("etag", None, 4), 4, lambda: iter([body]))

    with pytest.raises(BrokenTransferError, match=f"s3://b/k: got {len(body)} bytes, 4 were announced"):
        list(opened.chunks())
