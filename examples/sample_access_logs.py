"""Access logs under the keys and in the formats of AWS, and what the example must say of each."""

from __future__ import annotations

import json
from typing import Any

from sample import Sample, zipped

ACCOUNT = "123456789012"
LOGS = f"AWSLogs/{ACCOUNT}"
DAY = "us-east-1/2026/01/15"
BALANCER = f"{LOGS}/elasticloadbalancing/{DAY}/{ACCOUNT}_elasticloadbalancing_us-east-1_app.web.50dc6c495c0c9188"
TRAIL = f"{ACCOUNT}_CloudTrail_us-east-1_20260115T0910Z_8mKXbm0uTbdTfRPq.json.gz"
DIGEST = f"{ACCOUNT}_CloudTrail-Digest_us-east-1_trail_us-east-1_20260115T091000Z.json.gz"
FLOWS = f"{ACCOUNT}_vpcflowlogs_us-east-1_fl-0f1e2d3c4b5a69788_20260115T0910Z_3a1b7c9d.log.gz"


def samples() -> list[Sample]:
    """Answer the same objects every time."""
    requests = [_request(number) for number in range(200)]
    # Load balancers write one gzip member after the other.
    members = zipped("".join(requests[:120]).encode()) + zipped("".join(requests[120:]).encode())
    events = [_event(number) for number in range(40)]
    digest = {"awsAccountId": ACCOUNT, "digestStartTime": "2026-01-15T08:10:00Z", "logFiles": []}
    return [
        Sample(
            f"{BALANCER}_20260115T0910Z_203.0.113.7_2soosksi.log.gz",
            members,
            "gzip, two members",
            {
                "log": "load balancer",
                "records": 200,
                "failed": 7,
                "statuses": {"2xx": 189, "4xx": 4, "5xx": 7},
                "failing": {"10.0.1.3:8080": 5, "-": 2},
                "sent_bytes": sum(900 + number for number in range(200)),
                "slowest_s": 0.987,
            },
        ),
        Sample(
            f"{LOGS}/CloudTrail/{DAY}/{TRAIL}",
            zipped(json.dumps({"Records": events}).encode()),
            "gzip, one JSON document",
            {
                "log": "CloudTrail",
                "records": 40,
                "failed": 5,
                "services": {"s3": 30, "sts": 8, "signin": 2},
                "errors": {"AccessDenied": 5},
                "by_root": 2,
            },
        ),
        Sample(
            f"{LOGS}/vpcflowlogs/{DAY}/{FLOWS}",
            zipped(_flow_log(150)),
            "gzip, a header line",
            {
                "log": "VPC flow",
                "records": 150,
                "failed": 15,
                "without_traffic": 3,
                "rejected_ports": {"22": 8, "3389": 7},
                "accepted_bytes": sum(52 * number for number in range(150) if number % 10 and number != 149) - 52 * 4,
            },
        ),
        Sample(
            f"{LOGS}/CloudTrail-Digest/{DAY}/{DIGEST}", zipped(json.dumps(digest).encode()), "left out by the globs"
        ),
        Sample(f"{LOGS}/ELBAccessLogTestFile", b"Enable AccessLog for ELB", "left out by the globs"),
    ]


def _request(number: int) -> str:
    """A line as application load balancers write it since 2023, with all fields."""
    target, status, times = f"10.0.1.{number % 8}:8080", "200", f"0.001 0.{number * 7 % 990:03d} 0.000"
    target_status = status
    if number % 50 == 49:
        status = target_status = "404"
    elif number % 40 == 11:  # the target failed
        status = target_status = "502"
    elif number in (60, 160):  # there was no target to send it to
        target, status, target_status, times = "-", "503", "-", "-1 -1 -1"
    clock = f"2026-01-15T09:{5 + number // 60}:{number % 60:02d}.{number * 7919 % 1_000_000:06d}Z"
    group = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/web/73e2d6bc24d8a067"
    certificate = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012"
    return (
        f"h2 {clock} app/web/50dc6c495c0c9188 203.0.113.{number % 250}:{40000 + number} {target} {times} "
        f"{status} {target_status} {300 + number % 70} {900 + number} "
        f'"GET https://shop.example:443/orders/{number * 37 % 1009}?q=a%20b HTTP/2.0" '
        f'"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" '
        f'ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {group} "Root=1-65a4f{number:03x}-{number * 2654435761 % 2**96:024x}" '
        f'"shop.example" "{certificate}" 0 {clock} "forward" "-" "-" "{target}" "{target_status}" "-" "-" '
        f"TID_{number * 40503 % 2**64:016x}\n"
    )


def _event(number: int) -> dict[str, Any]:
    service, name = ("s3", "GetObject") if number % 4 else ("sts", "AssumeRole")
    identity = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0abc", "accountId": ACCOUNT}
    if number in (0, 20):
        service, name, identity = "signin", "ConsoleLogin", {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"}
    refused = {"errorCode": "AccessDenied", "errorMessage": "Access Denied"} if number % 8 == 5 else {}
    return {
        "eventVersion": "1.09",
        "userIdentity": identity,
        "eventTime": f"2026-01-15T09:06:{number:02d}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"198.51.100.{number}",
        "userAgent": "[aws-cli/2.22.0]",
        "requestParameters": {"bucketName": "acme-orders", "key": f"2026/{number}.json"} if service == "s3" else None,
        "responseElements": None,
        "requestID": f"{number:016X}",
        "eventID": f"00000000-0000-4000-8000-{number:012x}",
        "readOnly": True,
        "eventType": "AwsConsoleSignIn" if service == "signin" else "AwsApiCall",
        "managementEvent": service != "s3",
        "recipientAccountId": ACCOUNT,
        **refused,
    }


def _flow_log(flows: int) -> bytes:
    """Version 2, the default format; every 10th flow is rejected, and some intervals have none."""
    columns = "srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    lines = [f"version account-id interface-id {columns}"]
    for number in range(flows):
        start = 1_768_468_200 + number
        interface = f"2 {ACCOUNT} eni-0a1b2c3d4e5f60718"
        if number in (3, 149, 1):
            lines.append(f"{interface} - - - - - - - {start} {start + 60} - NODATA")
            continue
        action, port = ("ACCEPT", 443) if number % 10 else ("REJECT", 3389 if number % 20 else 22)
        lines.append(
            f"{interface} 198.51.100.{number} 10.0.1.{number % 8} {50000 + number} {port} 6 {number} {52 * number} "
            f"{start} {start + 60} {action} OK"
        )
    return "".join(f"{line}\n" for line in lines).encode()
