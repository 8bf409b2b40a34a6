"""JSON answers and timestamps in the vendors' formats."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

_ids = random.SystemRandom()


class JsonAnswer(Response):
    """A JSON answer; `content` is a value to serialise, or bytes that are JSON already."""

    media_type = "application/json;charset=utf-8"
    charset = ""

    def render(self, content: Any) -> bytes:
        """Serialise unless that has been done."""
        return content if isinstance(content, bytes) else orjson.dumps(content)


class MalformedBody(Exception):
    """A request body that is not a JSON object."""


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object; an empty body counts as `{}`. Raises MalformedBody for anything else."""
    body = await request.body()
    try:
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        value = orjson.loads(body or b"{}")
    except (orjson.JSONDecodeError, OSError) as problem:
        raise MalformedBody(str(problem)) from problem
    if not isinstance(value, dict):
        raise MalformedBody("a JSON object is expected")
    return value


def millisecond_stamp(moment: datetime) -> str:
    """`2026-01-31T08:15:00.000Z`, from an aware UTC datetime."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def second_stamp(moment: datetime) -> str:
    """`2026-01-31T08:15:00Z`, from an aware UTC datetime; a fraction is kept when there is one."""
    return moment.isoformat().removesuffix("+00:00") + "Z"


def now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def random_id(length: int) -> str:
    """A random lower-case base-36 id, as vendors put into their answers."""
    return "".join(_ids.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))


def random_uuid() -> str:
    """A random UUID as text (cheaper than `uuid.uuid4`)."""
    digits = f"{_ids.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def retry_after(seconds: float) -> dict[str, str]:
    """The Retry-After header, rounded up to whole seconds."""
    return {"Retry-After": str(int(-(-seconds // 1)))}
