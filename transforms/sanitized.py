"""What others say may repeat what we signed, or what a program printed: none of it is for a log or a dead letter."""

from __future__ import annotations

import re

from botocore.exceptions import CredentialRetrievalError, HTTPClientError

_SIGNED = re.compile(r"AWS4-|Credential=|Signature=|Authorization:|security-token|X-Amz-", re.IGNORECASE)
_OPAQUE = re.compile(r"\b[0-9a-f]{64}\b|[A-Za-z0-9+/=]{100,}", re.IGNORECASE)
"""Signatures, and session tokens, which have hundreds of characters."""
_PROVIDER = re.compile(r"credential provider: (\w+)(?:: An error occurred \((\w+)\) when calling the (AssumeRole) )?")
"""Where obstore says what the source of its credentials raised, and after it whatever that says; STS's code is told."""


def without_secrets(message: str) -> str:
    """Answer what a service says, unless it repeats a signed request."""
    if _SIGNED.search(message):
        return "it repeats the signed request, which is not told here"
    return _OPAQUE.sub("…", message)


def told(error: Exception) -> str:
    """Answer what a client's error says, unless that is another's text about credentials."""
    if isinstance(error, CredentialRetrievalError):  # what a program of the user's wrote: maybe the credentials
        return f"credentials cannot be retrieved from {error.kwargs.get('provider')}"
    if (
        isinstance(error, HTTPClientError) and type(error) is HTTPClientError
    ):  # of what it does not know: for one, a header that cannot be, with its value
        return f"the HTTP client failed with {type(error.kwargs.get('error')).__name__}"
    text = str(error)
    raised = _PROVIDER.search(text)
    if raised is None:
        return text
    refused = f" ({raised[2]} from {raised[3]})" if raised[3] else ""
    return f"the source of the AWS credentials failed with {raised[1]}{refused}"
