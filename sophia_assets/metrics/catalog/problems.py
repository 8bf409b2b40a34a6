"""What is wrong with a catalog: where it stands, what is allowed there, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sophia_assets.errors import ConfigurationError

_LONGEST_QUOTE = 60


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `entry` is the metric (or `dimensions.NAME`, or empty for the file), `field` its field.

    `allowed` lists what may stand there, where that is a short list; `remedy` is one sentence.
    """

    file: str
    line: int
    entry: str
    field: str
    what: str
    remedy: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = ".".join(part for part in (self.entry, self.field) if part)
        allowed = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        return f"{self.file}:{self.line}: {where + ': ' if where else ''}{self.what}.{allowed} {self.remedy}."

    def as_json(self) -> dict[str, Any]:
        """The problem as `sophia metrics check --json` prints it."""
        return {**asdict(self), "allowed": list(self.allowed)}


class CatalogInvalid(ConfigurationError):
    """The catalog has problems; the message names the first, `problems` holds them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{str(problems[0]).rstrip('.')}{more}", remedy="`sophia metrics check` lists everything")
        self.problems = tuple(problems)


def quoted(value: object) -> str:
    """A value of the catalog as a message shows it: in one line, cut short where it is long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a block"
    text = " ".join(str(value).split())
    return f"'{text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + '…'}'"


def did_you_mean(given: object, known: Iterable[str], otherwise: str) -> str:
    """`Did you mean 'x'?` without its mark, or `otherwise` where nothing known is near."""
    near = difflib.get_close_matches(str(given), list(known), n=1, cutoff=0.6)
    return f"Perhaps '{near[0]}' was meant" if near else otherwise


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems as one reads the files, each once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.entry))
