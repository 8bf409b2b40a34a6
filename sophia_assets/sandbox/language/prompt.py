"""Reads the blocks of a prompt: `<facts>` and the like, rows of cells with a header, or JSON."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

Row = Mapping[str, str]

_BLOCK = re.compile(r"^<(?P<name>[a-z_]+)>[ \t]*\n(?P<body>.*?)^</(?P=name)>[ \t]*$", re.M | re.S)
#: Cells that each fact has, so that an empty one means the same as in the row above.
_AS_ABOVE = frozenset({"metric", "noun", "be", "about", "period", "good"})
_HANDLES = re.compile(r"[^\s,]+")


@dataclass(frozen=True)
class Fact:
    """A row of `<facts>`. A cell that the row lacks is empty."""

    row: Row

    def __getattr__(self, name: str) -> str:
        """A cell by its column's name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self.row.get(name, "")

    @property
    def moves(self) -> bool:
        """Whether it went up or down by an amount that is known."""
        return self.direction in ("up", "down") and bool(self.delta)

    @property
    def is_company(self) -> bool:
        """Whether it is about the whole company."""
        return self.about in ("", "company")

    @property
    def is_stock(self) -> bool:
        """Whether it was measured on one day, so that a sentence need not name its period."""
        return self.period.startswith("on ")


@dataclass(frozen=True)
class Story:
    """A row of `<stories>`, with the facts that are its evidence, the decisive one first."""

    row: Row
    facts: tuple[Fact, ...]

    @property
    def id(self) -> str:
        """Its handle."""
        return self.row.get("id", "")

    @property
    def kind(self) -> str:
        """What kind of story it is, such as `churn`."""
        return self.row.get("kind", "")

    @property
    def category(self) -> str:
        """`change`, `risk` or `opportunity`."""
        return self.row.get("category", "")

    @property
    def likelihood(self) -> str:
        """The word for how likely it is, or nothing."""
        return self.row.get("likelihood", "")

    @property
    def due(self) -> str:
        """The day by which something is to be done about it, or nothing."""
        return self.row.get("due", "")

    def by_metric(self) -> dict[str, Fact]:
        """The evidence by metric."""
        return {fact.metric: fact for fact in reversed(self.facts)}


@dataclass(frozen=True)
class Section:
    """A row of `<sections>`."""

    key: str
    title: str
    most_sentences: int


@dataclass(frozen=True)
class Given:
    """What a model is given: the system's text and the user's."""

    system: str
    user: str

    @cached_property
    def seed(self) -> int:
        """A number that is the same for the same prompt, and another for another."""
        return zlib.crc32(f"{self.system}\0{self.user}".encode("utf-8", "replace"))

    @cached_property
    def blocks(self) -> dict[str, str]:
        """The bodies of the blocks by name; of two with one name the last."""
        return {match["name"]: match["body"] for match in _BLOCK.finditer(self.user)}

    def rows(self, block: str) -> list[Row]:
        """The rows of a block by their header's names; none where there is no such block."""
        lines = [line for line in self.blocks.get(block, "").splitlines() if line.strip()]
        header = [name.strip() for name in lines[0].split("|")] if lines else []
        return [dict(zip(header, map(str.strip, line.split("|")), strict=False)) for line in lines[1:]]

    @cached_property
    def facts(self) -> dict[str, Fact]:
        """The facts by handle."""
        found: dict[str, Fact] = {}
        above: Row = {}
        for row in self.rows("facts"):
            row = {name: cell or (above.get(name, "") if name in _AS_ABOVE else "") for name, cell in row.items()}
            above = row
            if row.get("id"):
                found[row["id"]] = Fact(row)
        return found

    @cached_property
    def stories(self) -> dict[str, Story]:
        """The stories by handle, with those of their facts that the prompt holds."""
        found = {}
        for row in self.rows("stories"):
            handles = _HANDLES.findall(row.get("facts", ""))
            if row.get("id"):
                found[row["id"]] = Story(row, tuple(self.facts[each] for each in handles if each in self.facts))
        return found

    @cached_property
    def sections(self) -> list[Section]:
        """The sections that are asked for, in their order."""
        return [
            Section(row["key"], row.get("title", ""), _number(row.get("most sentences", ""), 3))
            for row in self.rows("sections")
            if row.get("key")
        ]

    @cached_property
    def draft(self) -> dict[str, Any]:
        """The draft that a critique or a revision is about; empty where there is none or it is no JSON."""
        try:
            found = orjson.loads(self.blocks.get("draft", "") or "{}")
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def total(self, *metrics: str) -> Fact | None:
        """The first fact about the whole company of the first of these metrics that has one."""
        for metric in metrics:
            for fact in self.facts.values():
                if fact.metric == metric and fact.is_company:
                    return fact
        return None

    def about(self, metric: str, dimension: str) -> Sequence[Fact]:
        """A metric's facts about single things of one kind, in the prompt's order."""
        return [fact for fact in self.facts.values() if fact.metric == metric and fact.about == dimension]


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default
