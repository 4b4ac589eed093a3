"""AWS's Signature Version 4 for the requests that a busy job makes all day: `POST /`, and the same few headers.

botocore signs anything, and takes five times as long for it. The tests hold this against botocore's signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


class _Key(NamedTuple):
    """What a secret key becomes for one day."""

    secret_key: str
    day: str
    key: bytes


class Signer:
    """Signs for one service in one region. Safe to call from several threads."""

    def __init__(self, service: str, region: str) -> None:
        """As AWS names them: `sqs`, `eu-west-1`."""
        self._service = service
        self._region = region
        self._key = _Key("", "", b"")

    def signed(
        self, headers: Mapping[str, str], body: bytes, credentials: ReadOnlyCredentials, at: datetime
    ) -> dict[str, str]:
        """Answer `headers`, `Host` among them, and those that sign them and `body`; `at` is in UTC."""
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        day = moment[:8]
        headers = {**headers, "X-Amz-Date": moment}
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        lines = sorted((name.lower(), value) for name, value in headers.items())
        names = ";".join(name for name, _ in lines)
        canonical = "".join(f"{name}:{value}\n" for name, value in lines)
        request = f"POST\n/\n\n{canonical}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        key = self._key_of(credentials.secret_key, day)
        signature = _hmac(key, f"{_ALGORITHM}\n{moment}\n{scope}\n{hashed}").hex()
        credential = f"Credential={credentials.access_key}/{scope}"
        return {
            **headers,
            "Authorization": f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}",
        }

    def _key_of(self, secret_key: str, day: str) -> bytes:
        known = self._key
        if (known.secret_key, known.day) != (secret_key, day):
            key = f"AWS4{secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            known = self._key = _Key(secret_key, day, key)
        return known.key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
