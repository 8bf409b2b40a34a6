"""The toy language model: one prompt in, one text out, the same for the same prompt."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from sophia_assets.sandbox.language.drafting import Drafter, Sentence
from sophia_assets.sandbox.language.instances import simplest
from sophia_assets.sandbox.language.lies import Dishonesty
from sophia_assets.sandbox.language.obedience import orders_in
from sophia_assets.sandbox.language.phrasing import WANTED, phrased
from sophia_assets.sandbox.language.prompt import Given
from sophia_assets.sandbox.language.revising import criticise, revise

OBEYS = "obeys"
_HONEST = Dishonesty({})
_PLAIN = (
    "The sandbox's model has read the prompt. It writes briefings from facts, where a schema asks for one.",
    "This answer comes from the sandbox. The model behind it knows the prompt and nothing else.",
    "There is nothing to add to the prompt: the sandbox's model writes briefings and reviews drafts.",
)


def answer(given: Given, schema: Mapping[str, Any] | None, dishonesty: Dishonesty = _HONEST, obeys: float = 0.0) -> str:
    """The model's text: JSON that meets the schema, or a few plain sentences where there is none.

    `obeys` is the share (0..1) of sentences with which it obeys instructions that it finds in the prompt.
    """
    if schema is None:
        return _plain(given, dishonesty, obeys)
    properties = schema.get("properties")
    wanted = set(properties) if isinstance(properties, Mapping) else set()
    if {"bottom_line", "sections"} <= wanted:
        return _as_text(_drafted(given, dishonesty, obeys))
    if wanted == WANTED:
        return _as_text(phrased(given, _spoiler(given, dishonesty, obeys)))
    if "criticisms" in wanted:
        return _as_text(criticise(given))
    return _as_text(simplest(schema))


def _as_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _drafted(given: Given, dishonesty: Dishonesty, obeys: float) -> dict[str, Any]:
    spoil = _spoiler(given, dishonesty, obeys)
    if given.draft and "problems" in given.blocks:
        return revise(given, spoil)
    draft = Drafter(given).draft()
    parts = [draft["bottom_line"], *(section["sentences"] for section in draft["sections"])]
    for sentences in parts:
        sentences[:] = [spoil(Sentence(each["text"], each["story"])).as_json() for each in sentences]
    return draft


def _spoiler(given: Given, dishonesty: Dishonesty, obeys: float) -> Callable[[Sentence], Sentence]:
    """What becomes of a sentence on its way out: a lie now and then, or what the prompt tells the model to say."""
    orders, rng = orders_in(given) if obeys else None, random.Random(given.seed)

    def spoil(sentence: Sentence) -> Sentence:
        sentence = dishonesty.spoil(sentence, given)
        return orders.obey(sentence, rng) if orders and rng.random() < obeys else sentence

    return spoil


def _plain(given: Given, dishonesty: Dishonesty, obeys: float) -> str:
    rng = random.Random(given.seed)
    sentence = dishonesty.spoil(Sentence(rng.choice(_PLAIN)), given)
    orders = orders_in(given) if obeys else None
    return (orders.obey(sentence, rng) if orders and rng.random() < obeys else sentence).text
