"""What the loader's bookkeeping asks of a connection, whichever engine is behind it."""

from __future__ import annotations

from typing import Any, Protocol


class Answer(Protocol):
    """The rows of one statement; times are naive UTC."""

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...


class Connection(Protocol):
    """Executes statements with `?` for parameters, inside the caller's transaction."""

    def execute(self, query: str, parameters: Any = ..., /) -> Answer: ...
