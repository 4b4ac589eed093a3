"""Log files as AWS and applications leave them in S3, and what the default processor must say of each."""

from __future__ import annotations

import json

from sample import Sample, zipped

REQUESTS = 240
"""Lines in each load balancer log."""


def samples() -> list[Sample]:
    """Answer the same objects every time."""
    first, second, orders = _load_balancer_log(0), _load_balancer_log(REQUESTS), _orders()
    build = "".join(f"[{step:>3}/90] g++ -O2 -c part_{step}.cc\n" for step in range(1, 91)).encode() + b"build: ok"
    # AWS load balancers write one gzip member after the other; a file of three members is one file.
    third = REQUESTS // 3 * len(first) // REQUESTS
    members = b"".join(zipped(part) for part in (first[:third], first[third : 2 * third], first[2 * third :]))
    broken = bytearray(zipped(second))
    broken[len(broken) // 2] ^= 0xFF
    flipped = "gzip, one byte flipped on the way"
    return [
        Sample("alb/2026/01/15/web_0900Z.log.gz", members, "gzip, three members", _counts(first)),
        Sample("alb/2026/01/15/web_0905Z.log.gz", zipped(second), "gzip", _counts(second)),
        Sample("alb/2026/01/15/web_0910Z.log.gz", bytes(broken), flipped, set_aside="corrupt_gzip"),
        Sample("orders/2026-01-15.jsonl", orders, "plain text", _counts(orders)),
        Sample("builds/c++ nightly build.txt.gz", zipped(build), "a key with spaces and plus signs", _counts(build)),
        Sample("orders/2026-01-16.jsonl", b"", "empty", _counts(b"")),
    ]


def _counts(content: bytes) -> dict[str, int]:
    """Count newlines, plus one for a last line without one."""
    lines = content.count(b"\n") + (not content.endswith(b"\n") if content else 0)
    return {"line_count": lines, "byte_size": len(content)}


def _load_balancer_log(start: int) -> bytes:
    """Lines in the format of AWS application load balancers."""
    lines = []
    for number in range(start, start + REQUESTS):
        status = 502 if number % 97 == 0 else 200
        clock = f"2026-01-15T09:{number // 60 % 60:02d}:{number % 60:02d}.{number * 7919 % 1000000:06d}Z"
        lines.append(
            f"https {clock} app/web/50dc6c495c0c9188 203.0.113.{number % 250}:{40000 + number} "
            f"10.0.1.{number % 8}:8080 0.001 0.0{number % 90 + 10} 0.000 {status} {status} "
            f"{300 + number % 70} {900 + number * 31 % 5000} "
            f'"GET https://shop.example:443/orders/{number * 37 % 1009} HTTP/2.0" "curl/8.5.0" TLS_AES_128_GCM_SHA256 '
            f'TLSv1.3 "Root=1-65a4f{number:03x}-{number * 2654435761 % 2**48:012x}" "-" "forward" "-" "-"\n'
        )
    return "".join(lines).encode()


def _orders() -> bytes:
    orders = (
        {"order": 1000 + number, "customer": f"Zoë {number % 7}", "cents": number * 137 % 9901} for number in range(120)
    )
    return "".join(f"{json.dumps(order, ensure_ascii=False)}\n" for order in orders).encode()
