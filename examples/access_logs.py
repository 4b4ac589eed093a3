r"""What happened, in the access logs that AWS delivers to S3: load balancers, CloudTrail, VPC flow logs.

    python -m pipeline --runner=DirectRunner --processor=access_logs:summary \
        --key_glob='*/elasticloadbalancing/*' --key_glob='*/CloudTrail/*' --key_glob='*/vpcflowlogs/*'

AWS's own keys say which log it is, and the globs leave out its test files and digests. Each parser takes what it sums
up and leaves the rest unread; in memory are one line, or one CloudTrail file, and the counts.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transforms.contents import Fetched

TOP = 3
"""How many of each list are told."""
UNQUOTED = 12
"""The fields of a load balancer's line before the request, which is in quotes."""


def summary(content: Fetched) -> dict[str, Any]:
    """Sum up one log file. Raises `ValueError` where the key names no log that is known, or a line is not of it."""
    for folder, log, sum_up in LOGS:
        if f"/{folder}/" in f"/{content.ref.key}":
            return {"log": log, **sum_up(content)}
    raise ValueError(f"the key has none of the folders {', '.join(folder for folder, _, _ in LOGS)}")


def load_balancer(content: Fetched) -> dict[str, Any]:
    """Count the requests to an application load balancer, by what it answered.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
    """
    statuses, failing, sent_bytes, slowest_s = Counter[str](), Counter[str](), 0, 0.0
    for number, line in enumerate(content.lines(), start=1):
        fields = line.decode().split(" ", UNQUOTED)
        if len(fields) <= UNQUOTED or not fields[8].isdigit():
            raise ValueError(f"line {number:,} is not of an application load balancer's access log")
        statuses[f"{fields[8][0]}xx"] += 1
        sent_bytes += int(fields[11])
        slowest_s = max(slowest_s, float(fields[6]))  # -1 where no target answered
        if fields[8].startswith("5"):
            failing[fields[4]] += 1  # "-" where it reached no target
    counts = {"records": statuses.total(), "failed": failing.total(), "statuses": dict(sorted(statuses.items()))}
    return {**counts, "failing": top(failing), "sent_bytes": sent_bytes, "slowest_s": slowest_s}


def cloudtrail(content: Fetched) -> dict[str, Any]:
    """Count the calls in an account, those that were refused, and those of the root user.

    A file is one JSON document, so it is read whole.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
    """
    events = json.loads(content.read())["Records"]
    services = Counter(event["eventSource"].removesuffix(".amazonaws.com") for event in events)
    errors = Counter(event["errorCode"] for event in events if "errorCode" in event)
    by_root = sum(event["userIdentity"].get("type") == "Root" for event in events)
    counts = {"records": len(events), "failed": errors.total()}
    return {**counts, "services": top(services), "errors": top(errors), "by_root": by_root}


def flow_log(content: Fetched) -> dict[str, Any]:
    """Count the flows in a VPC, and the ports at which they were rejected.

    The first line names the columns, which the owner of a flow log chooses.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    """
    lines = (line.decode().split(" ") for line in content.lines())
    columns = next(lines, [])
    action, port, size = (columns.index(name) for name in ("action", "dstport", "bytes"))
    actions, ports, accepted_bytes = Counter[str](), Counter[str](), 0
    for number, fields in enumerate(lines, start=2):
        if len(fields) != len(columns):
            raise ValueError(f"line {number:,} has {len(fields)} fields and the header {len(columns)}")
        actions[fields[action]] += 1  # "-" for an interval without traffic, or without data
        if fields[action] == "ACCEPT":
            accepted_bytes += int(fields[size])
        elif fields[action] == "REJECT":
            ports[fields[port]] += 1
    counts = {"records": actions.total(), "failed": actions["REJECT"], "without_traffic": actions["-"]}
    return {**counts, "rejected_ports": top(ports), "accepted_bytes": accepted_bytes}


def top(counts: Counter[str]) -> dict[str, int]:
    """Answer the most frequent, the first first."""
    return dict(counts.most_common(TOP))


LOGS = (
    ("elasticloadbalancing", "load balancer", load_balancer),
    ("CloudTrail", "CloudTrail", cloudtrail),
    ("vpcflowlogs", "VPC flow", flow_log),
)
"""The folder in AWS's keys, a name, and what sums it up."""
