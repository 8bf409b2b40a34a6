"""What a client can tell about its own account: which permissions are there, what is left of limits, what looks odd.

Belongs here: the words in which a client tells it. Does not belong here: how one system is asked (its `permissions`
module), or what is made of the answers (`doctor`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sophia_assets.errors import PermissionMissing, ResponseInvalid, SourceError


@dataclass(frozen=True)
class Permission:
    """A permission that `tables` (`system.name`) need, by the vendor's own name. `error` says why it is not there."""

    name: str
    tables: tuple[str, ...]
    error: SourceError | None = None


@dataclass(frozen=True)
class Budget:
    """What is `left` of a limit of so many `limit` requests or points; `name` completes "what is left of ..."."""

    name: str
    left: float
    limit: float


@dataclass(frozen=True)
class Remark:
    """Something worth knowing that is no permission. With a `remedy` it is to be changed; `is_fatal`: nothing works."""

    subject: str
    told: str
    remedy: str = ""
    is_fatal: bool = False


Told = Permission | Budget | Remark


@runtime_checkable
class TellsPermissions(Protocol):
    """A client that can tell."""

    def permissions(self) -> Iterator[Told]:
        """Asks as cheaply as can be, and yields what comes. Raises a SourceError that is about no permission."""
        ...


def tried(name: str, tables: Iterable[str], ask: Callable[[], Any]) -> Permission:
    """Asks for something that needs the permission. Raises a SourceError that says nothing about permissions."""
    try:
        ask()
    except (PermissionMissing, ResponseInvalid) as error:
        return Permission(name, tuple(tables), error)
    return Permission(name, tuple(tables))
