"""Which share of a system's entities is served: one rule, in Python and as a condition in SQL.

A key's bucket is the number that the first eight hex digits of SHA-256("<flag>:<key>") make, and a key is served where
its bucket lies below the share of 2^32. So whoever is served at 10 % is served at 50 % too, and always by the same
rule on every machine and engine. A row without a key belongs to nobody, and is served only where all are. At 0 %
nothing of a system is served, as though it had never been loaded; at 100 % there is no condition at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table

EVERYTHING, NOTHING = 100, 0
_BUCKETS = 2**32


def rollout_flag(name: str) -> str:
    """The flag that says which share of a system, or of an LLM provider's work, is rolled out."""
    return f"{name}.rollout"


def bucket(flag: str, key: str) -> int:
    """The key's place under the flag, from 0 to 2^32 - 1."""
    # Halves of a character, which no database holds, must not make a conversation fail.
    text = f"{flag}:{key}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:4])


def is_included(flag: str, key: str | None, percent: int) -> bool:
    """Whether the key is among the first `percent` of all; no key is only among all of them."""
    if percent >= EVERYTHING or key is None:
        return percent >= EVERYTHING
    return bucket(flag, key) < _limit(percent)


def condition(flag: str, column: str, percent: int) -> str:
    """`is_included` in SQL, Snowflake's dialect, for a text `column`; for less than 100 %."""
    if percent <= NOTHING:
        return "FALSE"
    # Hex digits in lower case sort as the numbers do; behind equal digits, the longer text is not less.
    return f"SHA2('{flag}:' || {column}, 256) < '{_limit(percent):08x}'"


def _limit(percent: int) -> int:
    """The number of buckets that are included, rounded up: a bucket is a whole number."""
    return -(-percent * _BUCKETS // EVERYTHING)


@dataclass(frozen=True)
class Shares:
    """Which share of each system is served, in percent; those that are not named are served whole."""

    percents: Mapping[str, int]

    def of(self, system: str) -> int:
        """The percentage of a system that is served."""
        return self.percents.get(system, EVERYTHING)

    def partial(self, systems: Iterable[str] = registry.SYSTEMS) -> dict[str, int]:
        """Those of the systems that are not served whole, in order, with their percentage."""
        return {system: self.of(system) for system in sorted(systems) if self.of(system) < EVERYTHING}

    def is_withheld(self, table: str) -> bool:
        """Whether nothing of a raw table (`system.name`) is served."""
        return self.of(table.split(".")[0]) <= NOTHING

    def conditions(self) -> dict[str, str]:
        """The condition that each raw table's rows must meet to be served, and those of its history, by name.

        Tables that are served whole are not in it: those of systems that are, and tables without entities unless
        nothing of their system is served.
        """
        found = {}
        for system, percent in self.partial().items():
            for table in registry.tables(system):
                if text := _condition_of(table, percent):
                    found[table.qualified_name] = text
                    if table.keeps_versions:
                        found[table.history_name] = text
        return found

    def as_text(self, systems: Iterable[str] = registry.SYSTEMS) -> str:
        """The systems that are not served whole, such as `gong=10 hubspot=50`; what the ledger of builds keeps."""
        return " ".join(f"{system}={percent}" for system, percent in self.partial(systems).items())


ALL_SERVED = Shares({})


def parse_shares(text: str | None) -> Shares:
    """What `as_text` wrote."""
    pairs = (part.split("=") for part in (text or "").split())
    return Shares({system: int(percent) for system, percent in pairs})


def entities_of(system: str) -> str:
    """What a system's share is counted in, as people say it: `calls`, or `records` where there are several kinds."""
    from sophia_assets.warehouse.models import load_models

    read = {table for model in load_models().values() for table in model.dependencies}
    columns = {table.entity for table in registry.tables(system) if table.entity and table.qualified_name in read}
    return f"{columns.pop().removesuffix('_id').replace('_', ' ')}s" if len(columns) == 1 else "records"


def _condition_of(table: Table, percent: int) -> str:
    if percent <= NOTHING:
        return "FALSE"
    return condition(rollout_flag(table.system), table.entity, percent) if table.entity else ""
