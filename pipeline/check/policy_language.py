"""Whether a queue's policy lets a service send: what of IAM's language such policies use, in three values.

None means that it cannot be told from here: the policy asks for something that only the sender knows. Over 150 lines
because it is a language: its parts are judged by the same three values, and nobody needs one of them alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SEND = "sqs:SendMessage"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and what its requests say of where they come from."""

    service: str
    """For example `s3.amazonaws.com`."""
    source_arn: str | None = None
    """The bucket's, topic's or rule's; None if it is not known."""
    source_account: str | None = None


class Verdict(NamedTuple):
    """Whether it may send, and the name of the statement, or of the condition, that decides; empty if none does."""

    allowed: bool | None
    because: str = ""


def may_send(policy: str | None, queue_arn: str, sender: Sender) -> Verdict:
    """Judge `policy`, the queue's attribute of this name. Raises `ValueError` for what is no policy."""
    statements = _statements(policy) if policy else []
    judged = [(each, _applies(each, queue_arn, sender)) for each in statements]
    denied = [pair for pair in judged if pair[0].get("Effect") == "Deny" and pair[1] is not False]
    allowed = [pair for pair in judged if pair[0].get("Effect") == "Allow" and pair[1] is not False]
    for statement, applies in sorted(denied, key=lambda pair: pair[1] is None):
        if applies or allowed:
            return Verdict(False if applies else None, _described(statement))
    for statement, applies in sorted(allowed, key=lambda pair: pair[1] is None):
        return Verdict(applies, _described(statement))
    return Verdict(False)


def statement_for(queue_arn: str, sender: Sender) -> dict[str, Any]:
    """Answer the statement that lets `sender` send, and nobody else."""
    condition: dict[str, Any] = {}
    if sender.source_arn:
        condition["ArnEquals"] = {"aws:SourceArn": sender.source_arn}
    if sender.source_account:
        condition["StringEquals"] = {"aws:SourceAccount": sender.source_account}
    statement = {"Effect": "Allow", "Principal": {"Service": sender.service}, "Action": SEND, "Resource": queue_arn}
    return {**statement, **({"Condition": condition} if condition else {})}


def with_statement(policy: str | None, statement: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `policy` with one statement more; what it allows already stays. Raises `ValueError`."""
    others = json.loads(policy) if policy else {"Version": "2012-10-17"}
    return {**others, "Statement": [*(_statements(policy) if policy else ()), statement]}


def unsure_of_account(sender: Sender) -> Sender:
    """Answer the same sender of an account that is not known."""
    return replace(sender, source_account=None)


def _statements(policy: str) -> list[dict[str, Any]]:
    document = json.loads(policy)
    found = document.get("Statement", []) if isinstance(document, dict) else None
    listed = [found] if isinstance(found, dict) else found
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ValueError(f"no policy has {policy[:50]!r}")
    return listed


def _described(statement: Mapping[str, Any]) -> str:
    name = statement.get("Sid")
    keys = sorted({key for keys in _conditions(statement).values() for key in keys})
    conditions = f"with conditions on {', '.join(keys)}" if keys else "without conditions"
    return f"its statement {name or conditions}"


def _applies(statement: Mapping[str, Any], queue_arn: str, sender: Sender) -> bool | None:
    return _all(
        (
            _is_principal(statement, sender.service),
            _is_among(statement, "Action", SEND),
            _is_among(statement, "Resource", queue_arn),
            *(_holds(operator, keys, sender) for operator, keys in _conditions(statement).items()),
        )
    )


def _conditions(statement: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    conditions: Mapping[str, Mapping[str, Any]] = statement.get("Condition") or {}
    return conditions


def _is_principal(statement: Mapping[str, Any], service: str) -> bool | None:
    principal = statement.get("Principal")
    if principal is None:
        return None  # NotPrincipal
    if not isinstance(principal, Mapping):
        return bool(principal == "*")
    return "*" in _listed(principal.get("AWS")) or service in _listed(principal.get("Service"))


def _is_among(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not any(_is_like(value, each) for each in _listed(statement[f"Not{element}"]))
    return any(_is_like(value, each) for each in _listed(statement.get(element, "*")))


def _holds(operator: str, keys: Mapping[str, Any], sender: Sender) -> bool | None:
    known = {
        "aws:sourcearn": sender.source_arn,
        "aws:sourceaccount": sender.source_account,
        "aws:securetransport": "true",  # services of AWS send over TLS
        "aws:principalisawsservice": "true",
        "aws:principalservicename": sender.service,
    }
    name = operator.rpartition(":")[2].removesuffix("IfExists")
    matches = _OPERATORS.get(name.replace("Not", ""))
    answers: list[bool | None] = []
    for key, wanted in keys.items():
        actual = known.get(key.lower())
        if matches is None or actual is None:
            answers.append(None)
        else:
            answers.append(any(matches(actual, each) for each in _listed(wanted)) != ("Not" in name))
    return _all(answers)


def _all(answers: Any) -> bool | None:  # noqa: ANN401 - of three values
    given = list(answers)
    if False in given:
        return False
    return None if None in given else True


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - IAM takes one for a list of one
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]


def _is_like(value: str, pattern: str) -> bool:
    """Compare as IAM does: `*` and `?`; actions in any case, and nobody's ARNs differ by case alone."""
    words = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(words, value, re.IGNORECASE | re.DOTALL) is not None


def _is_equal(value: str, wanted: str) -> bool:
    return value == wanted


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _is_equal,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": _is_like,
    "ArnEquals": _is_like,
    "ArnLike": _is_like,
    "Bool": lambda value, wanted: value == wanted.lower(),
}
"""Each also with `Not` in its name."""
