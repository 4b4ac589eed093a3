r"""One call of an HTTP API for each object, many at once, and the queue for the retries.

    export API_URL=https://api.example.com/v1/review API_TOKEN=…
    python -m pipeline --runner=DirectRunner --processor=call_api:review --process_concurrency=16 \
        --give_up_after=10

A call that fails raises: its message goes back with a delay that doubles, other objects go on, and the tenth failure
sets it aside with the traceback; `python -m pipeline redrive` sends it again later. So there is no retry here, but a
limit for each wait, since a call that hangs holds a thread.
"""

from __future__ import annotations

import hashlib
import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from transforms.contents import Fetched

CALLS = urllib3.PoolManager(
    maxsize=16,  # as --process_concurrency: each thread keeps a connection
    timeout=urllib3.Timeout(connect=3, read=10),
    retries=False,
)


def review(content: Fetched) -> dict[str, Any]:
    """Answer what the API says of one object.

    Raises `urllib3.exceptions.HTTPError` where there is no answer, and `OSError` where it is not 200.
    """
    ref = content.ref
    name = f"{ref.bucket}/{ref.key}/{ref.etag}"
    headers = {
        "Authorization": f"Bearer {os.environ['API_TOKEN']}",
        "Content-Type": "application/octet-stream",
        # The same for a message that comes twice: an API that knows this header does nothing twice.
        "Idempotency-Key": hashlib.sha256(name.encode()).hexdigest(),
    }
    answer = CALLS.request("POST", os.environ["API_URL"], body=content.read(), headers=headers)
    if answer.status != HTTPStatus.OK:
        raise OSError(f"the API answered {answer.status} {answer.reason}")
    return {"review": answer.json()}
