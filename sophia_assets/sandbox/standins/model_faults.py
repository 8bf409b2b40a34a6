"""What both stand-ins for language models can be told to get wrong: lies, and failures of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sophia_assets.sandbox.language.lies import ALL, LIES, Dishonesty
from sophia_assets.sandbox.language.model import OBEYS
from sophia_assets.sandbox.standins.faults import FaultBoard, FaultKind


def _lie(effect: str) -> FaultKind:
    return FaultKind(f"this share of a draft's sentences {effect}", "RATE", 0.3, 1.0)


def _often(effect: str) -> FaultKind:
    return FaultKind(f"this share of the requests {effect}", "RATE", 1.0, 1.0)


LYING: Mapping[str, FaultKind] = {
    "lie_figures": _lie("has digits outside slots, which occur elsewhere in the data"),
    "lie_names": _lie("is about another subject, or about somebody whom nobody knows"),
    "lie_directions": _lie("says the opposite of where a figure went"),
    "lie_invented": _lie("is about nothing in the data"),
    "lie_slots": _lie("has slots that do not exist or belong elsewhere"),
    "lie_periods": _lie("names another time"),
    "lie_vague": _lie("has a magnitude that no figure stands for"),
    "lie_causes": _lie("names a cause or a future"),
    "lie_markup": _lie("has links, images, HTML or Markdown"),
    "lie_all": _lie("is any of these lies"),
    "obeys": _lie("obeys what in the prompt's data reads like an instruction, where anything does"),
}
FAILING: Mapping[str, FaultKind] = {
    "refusal": _often("is refused by the model, with HTTP 200"),
    "stall": FaultKind("an answer says nothing any more after this many events", "EVENTS", 0.0, 1e9),
    "trickle": FaultKind("this many seconds pass before each event of an answer", "SECONDS", 0.5),
    "cut_stream": FaultKind(
        "every answer is cut in the middle; this share of the cuts looks like the ordinary end of a stream",
        "RATE",
        0.5,
        1.0,
    ),
    "overloaded": _often("is turned away, since the vendor is overloaded"),
    "overloaded_midstream": _often("is broken off in the middle, since the vendor is overloaded"),
    "quota": _often("is turned away, since there is no credit left"),
    "truncated": _often("gets half an answer that ends at its limit of tokens"),
    "wrong_json": _often("gets an answer that is no JSON, or not JSON alone"),
    "wrong_schema": _often("gets JSON that does not meet the schema"),
    "context_overflow": FaultKind("a prompt of more than this many tokens is too long", "TOKENS", 0.0, 1e9),
    "empty_answer": _often("gets an answer without any text"),
}
MODEL_FAULTS: Mapping[str, FaultKind] = {**LYING, **FAILING}

Break = Literal["stall", "cut", "end", "overloaded", "failed"]


@dataclass(frozen=True)
class Interruption:
    """How an answer breaks off: what happens, and after how many events; None is in the middle."""

    kind: Break
    after: int | None = None


class Troubles:
    """What the faults of one stand-in mean for the request at hand."""

    def __init__(self, system: str, faults: FaultBoard) -> None:
        self._system = system
        self._faults = faults

    def strikes(self, kind: str) -> bool:
        """Whether the request falls into the share of a fault."""
        return self._faults.strikes(self._system, kind)

    @property
    def is_empty(self) -> bool:
        """Whether answers hold nothing."""
        return self._faults.active(self._system, "empty") is not None or self.strikes("empty_answer")

    @property
    def window(self) -> int | None:
        """How many tokens a prompt may have at most, where a fault says so."""
        fault = self._faults.active(self._system, "context_overflow")
        return None if fault is None else int(fault.argument)

    @property
    def pause(self) -> float:
        """Seconds before each event."""
        fault = self._faults.active(self._system, "trickle")
        return 0.0 if fault is None else fault.argument

    def interruption(self) -> Interruption | None:
        """How the answer breaks off, or None."""
        stall = self._faults.active(self._system, "stall")
        if stall is not None:
            return Interruption("stall", int(stall.argument))
        if self.strikes("overloaded_midstream"):
            return Interruption("overloaded")
        if self.strikes("failed_event"):
            return Interruption("failed")
        if self._faults.active(self._system, "cut_stream") is not None:
            return Interruption("end" if self.strikes("cut_stream") else "cut")
        return None

    def dishonesty(self) -> Dishonesty:
        """How the model lies."""
        active = {kind: self._faults.active(self._system, kind) for kind in (*LIES, ALL)}
        return Dishonesty({kind: fault.argument for kind, fault in active.items() if fault is not None})

    def obeys(self) -> float:
        """The share of sentences with which the model obeys what it reads."""
        fault = self._faults.active(self._system, OBEYS)
        return 0.0 if fault is None else fault.argument
