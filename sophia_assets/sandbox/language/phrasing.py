"""Puts an answer into other words, as the assistant asks for it: the draft's sentences, told again from their facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sophia_assets.sandbox.language.drafting import Drafter, Sentence
from sophia_assets.sandbox.language.prompt import Given

WANTED = frozenset({"response", "insights"})


def phrased(given: Given, spoil: Callable[[Sentence], Sentence]) -> dict[str, Any]:
    """The answer of the prompt's draft, as the schema `answer_phrasing` has it."""
    drafter = Drafter(given)

    def told(text: Any) -> str:
        sentence = Sentence(str(text))
        return spoil(drafter.retell(sentence) or sentence).text

    return {part: [told(text) for text in _texts(given.draft.get(part))] for part in ("response", "insights")}


def _texts(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
