"""How answers speak: sentences in slots, so that every value, name and direction comes from a fact.

Belongs here: the sentence patterns that several kinds of answers share. Does not belong here: which facts an answer is
made of, or filling slots (`insight.slots`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from sophia_assets.assistant.answers import spans_of_time
from sophia_assets.insight.names import listed, safe_name
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_stories import slot
from sophia_assets.insight.slots import previous_period_phrase
from sophia_assets.metrics import derived, formats
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.facts import Fact
from sophia_assets.metrics.filters import Filter

#: What leads from a metric to whom it is about.
_LEADS = {"industry": "in", "stage": "in", "plan": "on", "system": "from", "topic": "about", "feature": "of"}
_IN_NUMBERS = frozenset({"count", "percent", "score", "days", "minutes", "number"})
#: How the entities of a dimension are called.
PLURALS: Mapping[str, str] = {
    "industry": "industries",
    "activity": "kinds of activity",
    "channel_kind": "kinds of channel",
    "issue_state": "issue states",
    "document_kind": "kinds of document",
    "data_table": "tables",
}


def plural(dimension: str) -> str:
    """`accounts`, `industries`: the entities of a dimension."""
    return PLURALS.get(dimension, f"{dimension.replace('_', ' ')}s")


def singular(dimension: str) -> str:
    """`account`, `kind of activity`."""
    words = plural(dimension)
    if dimension in PLURALS and dimension != "industry":
        return words.replace("kinds", "kind") if words.startswith("kinds") else words.removesuffix("s")
    return dimension.replace("_", " ")


def literal(text: str) -> str:
    """Words of code beside slots: without braces, which would be taken for one."""
    return text.replace("{", "(").replace("}", ")")


def scope_of(filters: Sequence[Filter]) -> str:
    """Of whose rows alone an answer speaks: ` for Acme and Beta`, ` in Retail`, ` without Gamma`; or nothing."""
    parts = []
    for each in filters:
        names = listed([safe_name(name) for name in (each.names or each.ids)])
        parts.append(f"{'without' if each.is_excluded else _LEADS.get(each.dimension, 'for')} {names}")
    return literal(" " + " ".join(parts)) if parts else ""


def subject(fact: Fact) -> str:
    """The slot of whom a fact is about, led by what fits: ` for {{...|subject}}`, or nothing for the whole company."""
    dimension = next(iter(fact.dimensions), None)
    return f" {_LEADS.get(dimension, 'for')} {slot(fact, 'subject')}" if dimension else ""


def is_over(fact: Fact, day: date) -> bool:
    """Whether a fact's period lies wholly before the day of the data."""
    return fact.period.end < day


def be(fact: Fact, day: date) -> str:
    """`is` or `are`; `was` or `were` of a time that is over."""
    plural_noun = noun(fact).plural
    if is_over(fact, day):
        return "were" if plural_noun else "was"
    return "are" if plural_noun else "is"


def when(fact: Fact, day: date) -> str:
    """The slot of a fact's period behind its figure; nothing for what stands on the day of the data."""
    period = fact.period
    if period.key == "as_of" and period.end == day:
        return ""
    if not spans_of_time.has_phrase(period):
        return f" {literal(spans_of_time.led(period.label))}"
    return f" {'so far ' if spans_of_time.said(period).startswith('so far in') else ''}{slot(fact, 'period')}"


def moves(fact: Fact) -> bool:
    """Whether a fact went up or down by an amount that shows, in what it was and in what it is."""
    return fact.direction in ("up", "down") and bool(fact.delta_display) and fact.display != fact.previous_display


def since(fact: Fact) -> str:
    """What a fact is held against, led by what fits: `at {{...}}`, `on {{...}}`, `in {{...}}`.

    A time that has no slot of its own is called by its label.
    """
    if fact.previous_period is None:
        return ""
    if not spans_of_time.is_compared_as_usual(fact.period, fact.previous_period):
        return literal(spans_of_time.led(fact.previous_period.label))
    phrase = previous_period_phrase(fact.period, fact.previous_period)
    if phrase[:1].isdigit():
        lead = "from" if " to " in phrase else "on"
    else:
        lead = "at" if phrase.startswith("the same point") else "in"
    return f"{lead} {slot(fact, 'previous_period')}"


def by_change(fact: Fact) -> bool:
    """Whether a move reads better in per cent than in the metric's own unit."""
    return bool(fact.change_display) and fact.unit not in _IN_NUMBERS


def compared(fact: Fact) -> str:
    """`, up 12% from $1.11M at the same point last quarter`; nothing where there is nothing to compare."""
    if fact.previous_display is None or fact.previous_period is None:
        return ""
    if not moves(fact):
        unmoved = f", {slot(fact, 'direction')} from {slot(fact, 'previous')} {since(fact)}"
        if fact.direction in ("up", "down") and fact.display == fact.previous_display:
            return f", about the same as {since(fact)}"
        return unmoved if fact.direction == "flat" else ""
    by = "change" if by_change(fact) else "delta"
    return f", {slot(fact, 'direction')} {slot(fact, by)} from {slot(fact, 'previous')} {since(fact)}"


def stated(fact: Fact, day: date, scope: str = "", *, brief: bool = False) -> str:
    """`Bookings are $1.24M so far this quarter, up 12% from $1.11M at the same point last quarter.`"""
    more = "" if brief else compared(fact)
    return f"{noun(fact).opening}{scope or subject(fact)} {be(fact, day)} {slot(fact)}{when(fact, day)}{more}."


def moved(fact: Fact, day: date, scope: str = "") -> str:
    """`Bookings fell $210K to $1.03M so far this quarter.`; the plain statement where nothing moved."""
    if not moves(fact):
        return stated(fact, day, scope)
    return (
        f"{noun(fact).opening}{scope or subject(fact)} {slot(fact, 'moved')} {slot(fact, 'delta')} to {slot(fact)}"
        f"{when(fact, day)}, from {slot(fact, 'previous')} {since(fact)}."
    )


def figure(
    of: Fact, metric: Metric, value: Decimal, key: str, label: str, *, facts: Sequence[Fact] = (), share: bool = False
) -> Fact:
    """A figure that is computed from other facts, as a fact: their sources together, the older data time.

    `share` makes it a part of a whole, 0 to 1, whatever the metric's unit.
    """
    parts = [of, *facts]
    unit = "percent" if share else metric.unit
    moments = [part.as_of for part in parts if part.as_of]
    display = formats.display(value, "percent") if share else formats.display_delta(value, metric.unit, metric.format)
    return Fact(
        id=f"derived.{key}",
        metric=metric.name,
        label=label,
        dimensions={},
        period=of.period,
        value=float(value),
        unit=unit,
        display=display,
        good_direction="neutral",
        sources=tuple(sorted({source for part in parts for source in part.sources})),
        as_of=min(moments) if moments else None,
        query_hash=" ".join(dict.fromkeys(part.query_hash for part in parts)),
    )


def difference(one: Fact, other: Fact, metric: Metric, key: str = "difference") -> Fact | None:
    """How much larger the first of two facts is than the second; None where they differ by nothing that shows."""
    value = derived.delta(Decimal(str(one.value)), Decimal(str(other.value)))
    found = figure(one, metric, abs(value), key, f"{metric.label}: difference", facts=(other,))
    return None if formats.is_nothing(found.display) else found


def sum_of(facts: Sequence[Fact], metric: Metric, key: str, label: str) -> Fact:
    """What facts come to together."""
    total = sum((Decimal(str(fact.value)) for fact in facts), Decimal(0))
    found = figure(facts[0], metric, abs(total), key, label, facts=facts[1:])
    return found if total >= 0 else _negative(found, metric, total)


def _negative(fact: Fact, metric: Metric, total: Decimal) -> Fact:
    from dataclasses import replace

    return replace(fact, value=float(total), display=formats.display(total, metric.unit, metric.format))


def share_of(part: Decimal, whole: Decimal, of: Fact, metric: Metric, key: str, label: str) -> Fact | None:
    """What a part is of a whole; None where the whole is nothing or the part is not within it."""
    found = derived.share(part, whole)
    if found is None or not 0 <= found <= 1:
        return None
    return figure(of, metric, found, key, label, share=True)
