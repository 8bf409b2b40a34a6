"""The style, the script and the icon: each under an address that changes with its content, so that it is kept.

Belongs here: these files. Does not belong here: anything that depends on who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sophia_assets.insight import rendering
from sophia_assets.web.page import STATIC, environment

router = APIRouter(include_in_schema=False)
# The reader looks as the standalone briefing does: its style comes first.
_PARTS = {
    "reader.css": (Path(rendering.__file__).with_name("briefing.css"), STATIC / "reader.css"),
    "reader.js": (STATIC / "reader.js",),
    "icon.svg": (STATIC / "icon.svg",),
}
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    """A file as it is served; `digest` is of its content."""

    content: bytes
    digest: str
    type: str


@cache
def static_file(name: str) -> StaticFile:
    """The file of that name. Raises KeyError for an unknown one."""
    content = b"\n".join(part.read_bytes() for part in _PARTS[name])
    return StaticFile(content, sha256(content).hexdigest()[:16], _TYPES[Path(name).suffix])


def address_of(name: str) -> str:
    """Where a file is served, by its content."""
    return f"/static/{static_file(name).digest}/{name}"


@router.get("/static/{digest}/{name}")
def serve(digest: str, name: str) -> Response:
    """A file; browsers keep it for good, since another content has another address."""
    if name not in _PARTS or static_file(name).digest != digest:
        raise HTTPException(404)
    found = static_file(name)
    return Response(found.content, media_type=found.type, headers={"Cache-Control": _FOREVER})


environment().globals["static"] = address_of
