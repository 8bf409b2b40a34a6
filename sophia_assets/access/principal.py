"""Who asks: a name, a role, and which accounts of the business it is limited to.

Belongs here: the principal that every question, page and tool is answered for. Does not belong here: how it proved who
it is (`users`), or what a role may see (`roles`, `policies`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import orjson

Channel = Literal["cli", "op", "api", "page", "mcp", "platform", "operator"]
AccountAttribute = Literal["account", "owner", "industry", "country"]
"""What accounts may be limited by: columns of `marts.accounts` (`account_id`, `owner_id`, `industry`, `country`)."""


@dataclass(frozen=True)
class RowScope:
    """Which accounts' rows may be seen: per attribute the allowed values, all of which must hold; empty: all rows."""

    allowed: Mapping[AccountAttribute, frozenset[str]] = field(default_factory=dict)

    @property
    def is_everything(self) -> bool:
        """Whether no row is held back."""
        return not self.allowed

    def canonical(self) -> list[tuple[str, list[str]]]:
        """The same for equal scopes, whatever the order in which they were given."""
        return sorted((attribute, sorted(values)) for attribute, values in self.allowed.items())


EVERY_ROW = RowScope()


@dataclass(frozen=True)
class Principal:
    """Who asks, through which channel. `role` names one of `roles.ROLES`."""

    name: str
    role: str
    channel: Channel
    rows: RowScope = EVERY_ROW

    @property
    def scope(self) -> str:
        """What of the data it may see, in short: part of every cache key. Two of the same scope see the same."""
        return sha256(orjson.dumps([self.role, self.rows.canonical()])).hexdigest()[:24]
