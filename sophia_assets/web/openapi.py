"""What the API says of itself: how to log in, which errors there are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_OPEN = ("/healthz", "/readyz")


def describe(app: FastAPI) -> None:
    """Makes /openapi.json name the ways to log in."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _schema(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary="Questions, briefings and their evidence.",
        description="Every answer rests on facts that were checked; what the caller may not see is not in it.",
        routes=app.routes,
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `sophia users add`: sophia_..."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sophia",
            "description": "The session of the pages; what is not GET also needs X-CSRF-Token",
        },
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["security"] = [] if path in _OPEN else [{"token": []}, {"session": []}]
    components.get("schemas", {}).pop("HTTPValidationError", None)
    components.get("schemas", {}).pop("ValidationError", None)
    return schema
