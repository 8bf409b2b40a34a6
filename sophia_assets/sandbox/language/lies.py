"""The lies that the toy model can be told to tell: each turns an honest sentence into one that no reader may see."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sophia_assets.sandbox.language.drafting import Sentence
from sophia_assets.sandbox.language.prompt import Fact, Given

_SLOT = re.compile(r"\{\{(?P<handle>[fs]\w*)(?:\|(?P<aspect>\w+))?\}\}")
_FIGURES = frozenset({"", "previous", "delta", "change", "share", "target", "run_rate"})
_OPPOSITE = {
    "direction": {"up": "down", "down": "up"},
    "moved": {"up": "fell", "down": "rose"},
    "compared": {"up": "lower", "down": "higher"},
}
_TIME_ASPECTS = ("period", "previous_period", "due")
_STRANGERS = ("Initrode", "Vandelay Industries", "Jane Doe", "the Springfield branch", "Müller & Söhne")
_INVENTED = (
    "The board approved the new pricing in its last meeting.",
    "Customers praise the new dashboard.",
    "Our main rival is about to be acquired.",
    "Morale in the sales team is high.",
    "A data breach was reported in the northern region.",
    "Hiring is on track.",
)
_TIMES = ("last week", "in 2019", "this morning", "since Monday", "in the last 90 days", "on 1 April", "year over year")
_VAGUE = (
    "nearly double what it was",
    "a record",
    "most of them in the north",
    "a strong result",
    "three in ten of the total",
    "twice the usual",
    "a significant move",
)
_CAUSES = (
    "because prices changed",
    "due to the new campaign",
    "thanks to the sales team",
    "and it will recover",
    "which suggests that demand is shifting",
    "driven by new hires",
    "and we expect more of it",
)
_MARKUP = (
    "See [the report](https://reports.example/q?d=1).",
    "![](https://pixel.example/x.png)",
    "<b>Important.</b>",
    "<img src=x onerror=alert(1)>",
    "**Read this first.**",
    "# Summary",
    "Visit www.example.com for details.",
    "`rm -rf /`",
)

Lie = Callable[[Sentence, Given, random.Random], Sentence]


@dataclass(frozen=True)
class Dishonesty:
    """How a model lies: which kinds of lie, and about which share (0..1) of its sentences for each."""

    shares: Mapping[str, float]

    def spoil(self, sentence: Sentence, given: Given) -> Sentence:
        """The sentence, or a lie instead; the same for the same sentence of the same prompt."""
        rng = random.Random(f"{given.seed} {sentence.text}")
        for kind in sorted(self.shares):
            if rng.random() < self.shares[kind]:
                lie = LIES.get(kind) or rng.choice(list(LIES.values()))
                sentence = lie(sentence, given, rng)
        return sentence


def figures(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """Digits outside a slot: right-looking ones that occur elsewhere in the data, or other digits."""
    spots = [match for match in _SLOT.finditer(sentence.text) if _is_figure(match)]
    others = [cell for fact in given.facts.values() for cell in (fact.value, fact.previous, fact.delta) if cell]
    if not spots or not others:
        return _added(sentence, f"It comes to {rng.choice(others or ['$4.2M'])}.")
    spot = rng.choice(spots)
    mine = given.facts.get(spot["handle"])
    alike = [cell for cell in others if mine is not None and _alike(cell, mine.value) and cell != mine.value]
    return _put(sentence, spot, rng.choice(alike or others))


def _facts_in(sentence: Sentence, given: Given) -> list[Fact]:
    handles = (match["handle"] for match in _SLOT.finditer(sentence.text))
    return [given.facts[handle] for handle in handles if handle in given.facts]


def names(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """Another story's or fact's subject, or somebody whom nobody knows."""
    spots = [match for match in _SLOT.finditer(sentence.text) if _is_name(match)]
    told = {fact.about for fact in _facts_in(sentence, given)}
    if sentence.story in given.stories:
        told |= {fact.about for fact in given.stories[sentence.story].facts}
    # Two handles may stand for the same subject: one of another kind never does.
    others = [
        f"{{{{{story.id}}}}}"
        for story in given.stories.values()
        if told.isdisjoint({fact.about for fact in story.facts})
    ]
    others += [
        f"{{{{{fact.id}|subject}}}}" for fact in given.facts.values() if not fact.is_company and fact.about not in told
    ]
    name = rng.choice([*rng.sample(others, min(3, len(others))), rng.choice(_STRANGERS)])
    if spots:
        return _put(sentence, rng.choice(spots), name)
    return replace(sentence, text=f"{sentence.text.rstrip('.')} at {name}.")


def directions(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """The opposite of the word that the slot would show."""
    spots = [match for match in _SLOT.finditer(sentence.text) if match["aspect"] in _OPPOSITE]
    for spot in rng.sample(spots, len(spots)):
        fact = given.facts.get(spot["handle"])
        word = _OPPOSITE[spot["aspect"]].get(fact.direction if fact else "")
        if word:
            return _put(sentence, spot, word)
    word = rng.choice(["higher", "lower", "down", "up"])
    return replace(sentence, text=f"{sentence.text.rstrip('.')}, {word} again.")


def invented(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """A sentence about nothing in the data, instead or behind."""
    claim = rng.choice(_INVENTED)
    return _added(sentence, claim) if rng.random() < 0.3 else replace(sentence, text=claim)


def slots(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """Handles that nobody gave out, aspects that do not exist, and other facts' slots under the noun of this one."""
    spots = list(_SLOT.finditer(sentence.text))
    unknown = f"{{{{f{len(given.facts) + rng.randint(1, 400)}}}}}"
    if not spots:
        return _added(sentence, f"It is {unknown}.")
    spot = rng.choice([match for match in spots if _is_figure(match)] or spots)
    mine = given.facts.get(spot["handle"])
    wrong = [unknown, f"{{{{{spot['handle']}|forecast}}}}", f"{{{{{spot['handle']}", "{{fact:bookings.qtd}}", "{{}}"]
    wrong += [f"{{{{{fact.id}}}}}" for fact in given.facts.values() if mine is not None and fact.metric != mine.metric][
        : 2 * len(wrong)
    ]
    return _put(sentence, spot, rng.choice(wrong))


def periods(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """Another time than that of the figure."""
    spots = [match for match in _SLOT.finditer(sentence.text) if match["aspect"] in _TIME_ASPECTS]
    others = [f"{{{{{fact.id}|period}}}}" for fact in given.facts.values() if not fact.is_stock]
    spot = rng.choice(spots) if spots else None
    mine = {fact.period for fact in _facts_in(sentence, given)}
    others = [slot for slot in others if given.facts[slot[2:].split("|")[0]].period not in mine]
    other = rng.choice([rng.choice(_TIMES), *others[:1]])
    return _put(sentence, spot, other) if spot else replace(sentence, text=f"{sentence.text.rstrip('.')} {other}.")


def vague(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """A magnitude that no figure stands for."""
    return replace(sentence, text=f"{sentence.text.rstrip('.')}, {rng.choice(_VAGUE)}.")


def causes(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """A cause or a future that no fact holds."""
    return replace(sentence, text=f"{sentence.text.rstrip('.')} {rng.choice(_CAUSES)}.")


def markup(sentence: Sentence, given: Given, rng: random.Random) -> Sentence:
    """Links, images, HTML and Markdown."""
    return _added(sentence, rng.choice(_MARKUP))


LIES: dict[str, Lie] = {
    "lie_figures": figures,
    "lie_names": names,
    "lie_directions": directions,
    "lie_invented": invented,
    "lie_slots": slots,
    "lie_periods": periods,
    "lie_vague": vague,
    "lie_causes": causes,
    "lie_markup": markup,
}
#: A random one of them.
ALL = "lie_all"


def _is_figure(match: re.Match[str]) -> bool:
    return match["handle"].startswith("f") and (match["aspect"] or "") in _FIGURES


def _is_name(match: re.Match[str]) -> bool:
    return match["aspect"] == "subject" or (match["handle"].startswith("s") and not match["aspect"])


def _alike(one: str, other: str) -> bool:
    """Whether two figures look as if they measured the same."""
    return _form(one) == _form(other)


def _form(figure: str) -> Sequence[str]:
    return re.findall(r"[^\d.,]+", figure)


def _put(sentence: Sentence, match: re.Match[str], text: str) -> Sentence:
    return replace(sentence, text=sentence.text[: match.start()] + text + sentence.text[match.end() :])


def _added(sentence: Sentence, more: str) -> Sentence:
    return replace(sentence, text=f"{sentence.text} {more}")
