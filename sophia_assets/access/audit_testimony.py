"""Reading what bears witness to an audit trail, and judging whether it is whole.

Belongs here: the checkpoints and the witness of one chain, as verifying needs them. Does not belong here: writing them
(`audit_checkpoints`), or comparing them with the trail (`audit_verification`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from sophia_assets.access.audit_checkpoints import SERIES, WITNESS, is_sealed, line_digest
from sophia_assets.access.audit_keys import AuditKey

_CHAIN = re.compile(r"[0-9a-f]{32}")


@dataclass
class Testimony:
    """What is kept of one chain elsewhere.

    `digests` are those of the checkpoints in order; `expected` gives, by the number of an entry, its code and the
    digest of all codes up to it; `witness_seq` is the entry that the last commit ended with, None where nothing tells.
    """

    folder: Path = Path()
    digests: list[str] = field(default_factory=list)
    expected: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    witness_seq: int | None = None
    witnessed_checkpoints: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, told: Mapping[str, Any]) -> None:
        """Adds what a signed object says of an entry."""
        self.expected.setdefault(int(told["seq"]), set()).add((str(told["mac"]), str(told["root"])))

    def up_to(self, seq: int) -> Testimony:
        """The same, without what it expects of later entries."""
        return replace(self, expected={number: codes for number, codes in self.expected.items() if number <= seq})

    def with_all_of(self, earlier: Testimony) -> Testimony:
        """The same, with what was expected earlier."""
        expected = {
            number: self.expected.get(number, set()) | earlier.expected.get(number, set())
            for number in self.expected.keys() | earlier.expected.keys()
        }
        return replace(self, expected=expected)


def chains_in(folder: Path) -> list[str]:
    """The chains to which something in a folder bears witness."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if _CHAIN.fullmatch(path.name) and path.is_dir())


def read_testimony(folder: Path, chain: str, keys: Mapping[str, AuditKey]) -> Testimony:
    """What a chain's folder holds."""
    testimony = Testimony(folder)
    # The witness first: it never tells of more checkpoints than have been made by then.
    for read in (_read_witness, _read_series):
        try:
            read(testimony, chain, keys)
        except FileNotFoundError:
            continue
        except OSError as error:
            testimony.problems.append(f"{error.filename} cannot be read: {error.strerror}")
    if testimony.witnessed_checkpoints > len(testimony.digests):
        made = f"{testimony.witnessed_checkpoints} checkpoints were made"
        testimony.problems.append(f"{made}, and {len(testimony.digests)} are in {folder}")
    return testimony


def _read_series(testimony: Testimony, chain: str, keys: Mapping[str, AuditKey]) -> None:
    path, previous = testimony.folder / SERIES, ""
    with path.open("rb") as file:
        for line in filter(bytes.strip, file):
            told = _object(line)
            if told is None:
                # A line that a power cut tore is not counted, but what follows it must still fit.
                continue
            number = len(testimony.digests) + 1
            problem = _problem(told, chain, keys)
            if not problem and (told.get("number"), told.get("previous")) != (number, previous):
                problem = "it does not follow the one before it"
            if problem:
                testimony.problems.append(f"checkpoint {number} in {path}: {problem}")
            else:
                testimony.expect(told)
            previous = line_digest(line)
            testimony.digests.append(previous)


def _read_witness(testimony: Testimony, chain: str, keys: Mapping[str, AuditKey]) -> None:
    path = testimony.folder / WITNESS
    told = _object(path.read_bytes())
    problem = _problem(told, chain, keys) if told is not None else "it is torn"
    if told is None or problem:
        testimony.problems.append(f"the witness of the last commit in {path}: {problem}")
        testimony.witness_seq = 0
        return
    testimony.expect(told)
    testimony.witness_seq = int(told["seq"])
    testimony.witnessed_checkpoints = int(told.get("checkpoints", 0))


def _problem(told: Mapping[str, Any], chain: str, keys: Mapping[str, AuditKey]) -> str:
    """What is wrong with a signed object; empty where nothing is."""
    if told.get("chain") != chain:
        return "it is of another trail"
    if str(told.get("key_id")) not in keys:
        return f"the key {str(told.get('key_id'))[:16]} that signed it is not here"
    if not is_sealed(told, keys) or not isinstance(told.get("seq"), int):
        return "it was changed from outside"
    return ""


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
