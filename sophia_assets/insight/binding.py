"""Binds the figures, directions and periods of a text to the facts that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from sophia_assets.insight import lexicon
from sophia_assets.insight.figures import Figure, read_figure, same_figure
from sophia_assets.insight.mentions import NAME_MASK, TREND, Reading, Span, Term
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.nouns import catalog_nouns
from sophia_assets.insight.roles import LOCATED, RANKS_NEXT, belongs_to_next, is_owner, is_set_beside, roles_of
from sophia_assets.insight.slots import period_phrase, previous_period_phrase
from sophia_assets.metrics.facts import Fact

#: A comparison with a time, which makes a difference or an earlier value of what stands before it.
_COMPARES = re.compile(r"(?i)\b(?:since|from|than|against|(?:compared|relative) (?:with|to))(?:\s(?:at|in|on))?\s$")
#: A sentence that begins with circumstances and comes to its subject behind a comma.
_INTRODUCED = re.compile(rf"(?i)^\s*(?:with|at|in|for|of|after)\s[^{NAME_MASK};:.]*?,\s(?=[{NAME_MASK}])")
#: The nouns that stand for what a breakdown ranks.
_RANKED: dict[str, tuple[str, ...]] = {
    "account": ("account", "customer"),
    "deal": ("deal",),
    "owner": ("seller",),
    "stage": ("stage",),
    "competitor": ("competitor",),
    "team": ("team",),
}
_PREPOSITION = re.compile(r"(?i)\b(?:from|since|than|with|against|to|of|at|by|on|in|for|over|before|after)\s$")


@dataclass(frozen=True)
class Binding:
    """A figure with the (fact, aspect) pairs that support it; with none, `problem` says why."""

    figure: Figure
    facts: tuple[tuple[Fact, str], ...]
    problem: str = ""
    expected: str | None = None


def bind_figure(reading: Reading, figure: Figure, cited: Sequence[Fact]) -> Binding:
    """Finds the cited facts that have this figure in this role, about this subject and metric."""
    same = [(fact, aspect) for fact in cited for aspect in _matching(fact, figure)]
    if not same:
        shown = {display for fact in cited for _, display, _ in _aspects(fact)}
        return Binding(figure, (), "no cited fact has this figure", ", ".join(sorted(shown)) or None)
    roles = roles_of(reading, figure)
    in_role = [(fact, aspect) for fact, aspect in same if aspect in roles]
    if not in_role:
        return Binding(figure, (), f"the figure is a {same[0][1]}, not a {' or '.join(sorted(roles))}")
    subject = _subject(reading, figure)
    about = [(fact, aspect) for fact, aspect in in_role if _name(fact) == subject]
    if not about:
        owner = _name(in_role[0][0]) or "the whole company"
        return Binding(figure, (), f"the figure belongs to {owner}, not to {subject or 'the whole company'}", owner)
    metrics = _metrics(reading, figure)
    if metrics is None:
        return Binding(figure, (), "the sentence does not say what the figure measures", about[0][0].label)
    meant = [(fact, aspect) for fact, aspect in about if fact.metric in metrics]
    if not meant:
        return Binding(
            figure, (), f"the figure is {about[0][0].label}, not what the sentence calls it", about[0][0].label
        )
    if figure.unit == "rank":
        meant = [(fact, aspect) for fact, aspect in meant if ranks_what_follows(reading, figure.end, fact)]
    counted = None if figure.unit == "rank" else _counted(reading, figure)
    right = [
        (fact, aspect)
        for fact, aspect in meant
        if counted is None or (figure.unit in ("number", "days") and fact.metric in counted)
    ]
    if not right:
        label = about[0][0].label
        return Binding(figure, (), f"the figure does not count what stands behind it: it is {label}", label)
    return Binding(figure, tuple(right))


def repeated(bindings: Sequence[Binding]) -> Iterator[Binding]:
    """Figures that only repeat one before them: the same aspect of the same fact, twice in one text."""
    seen: set[tuple[str, str]] = set()
    for binding in bindings:
        keys = {(fact.id, aspect) for fact, aspect in binding.facts}
        if keys and keys <= seen:
            yield binding
        if len(keys) == 1:
            seen |= keys


def unsupported_terms(reading: Reading, bindings: Sequence[Binding]) -> Iterator[Span]:
    """Words that name a metric although no supported figure of the text is about it."""
    metrics = {fact.metric for binding in bindings for fact, _ in binding.facts}
    counted = {binding.figure.end + 1 for binding in bindings if binding.facts}
    for start, end, meaning in reading.terms:
        # A noun right behind a supported count has been checked with it.
        if start not in counted and not metrics & meaning:
            yield Span(start, end, reading.text[start:end])


def unnamed_period(reading: Reading, bindings: Sequence[Binding], due: str | None) -> Iterator[tuple[Binding, str]]:
    """Figures over a span of time that no period in the text fits, with the period they are about.

    Where the text names no period at all (a date `due` is none), only a figure of one past week, month or
    quarter needs one.
    """
    spoken = {span.text for span in reading.periods} - {due}
    for binding in bindings:
        facts = [fact for fact, _ in binding.facts if fact.period.key != "as_of"]
        if len(facts) < len(binding.facts) or not facts:
            continue
        fitting = {
            phrase
            for fact in facts
            for phrase in (
                period_phrase(fact.period),
                *([previous_period_phrase(fact.period, fact.previous_period)] if fact.previous_period else []),
            )
        }
        if spoken & fitting or (not spoken and any("." not in fact.period.key for fact in facts)):
            continue
        yield binding, period_phrase(facts[0].period)


def settle(reading: Reading, bindings: Sequence[Binding]) -> list[Binding]:
    """Narrows figures that several facts would support to those that fit the rest of the text.

    A value belongs to the fact whose period is named; a difference or a previous value to a fact whose value
    is shown. One that belongs to none of the values shown gets a problem.
    """
    spoken = {span.text for span in reading.periods}
    settled, shown = [], set()
    for binding in bindings:
        named = tuple(pair for pair in binding.facts if pair[1] == "value" and period_phrase(pair[0].period) in spoken)
        settled.append(replace(binding, facts=named or binding.facts))
        shown |= {fact.id for fact, aspect in settled[-1].facts if aspect == "value"}
    for place, (earlier, binding) in enumerate(pairwise(settled), 1):
        if binding.facts and is_set_beside(reading, binding.figure):
            alike = {(fact.metric, fact.period.key) for fact, _ in earlier.facts}
            fitting = tuple(pair for pair in binding.facts if (pair[0].metric, pair[0].period.key) in alike)
            problem = "" if fitting else "what is compared is not the same metric over the same time"
            settled[place] = replace(binding, facts=fitting, problem=problem)
    for place, binding in enumerate(settled):
        compares = binding.facts and all(aspect in ("delta", "change", "previous") for _, aspect in binding.facts)
        if compares and shown:
            fitting = tuple(pair for pair in binding.facts if pair[0].id in shown)
            problem = "" if fitting else "the figure and the values beside it are not about the same"
            settled[place] = replace(binding, facts=fitting, problem=problem)
    return settled


def bound_to(reading: Reading, span: Span, bindings: Sequence[Binding]) -> Binding | None:
    """The figure that a direction word goes with: the next in its clause, else the last in it, else the last before."""
    if span.text.lower() in lexicon.FIRST_RANK and (ahead := RANKS_NEXT.match(reading.rest[span.end :])):
        return next((b for b in bindings if b.figure.start >= span.end + ahead.end()), None)
    clause = reading.clause_of(span.start)
    same = [binding for binding in bindings if reading.clause_of(binding.figure.start) == clause]
    after = [binding for binding in same if binding.figure.start >= span.end]
    before = [binding for binding in same if binding.figure.end <= span.start]
    earlier = [binding for binding in bindings if binding.figure.end <= span.start]
    found = next(iter(after), None) or next(reversed(before), None) or next(reversed(earlier), None)
    if found is None and span.text.lower() in lexicon.FIRST_RANK:
        # A rank stands beside its subject and is borne out by what is said of it next.
        return next((binding for binding in bindings if binding.figure.start >= span.end), None)
    return found


def ranks_what_follows(reading: Reading, end: int, fact: Fact) -> bool:
    """Whether the noun behind a rank that ends at `end` is what the fact's breakdown ranks; others rank nothing."""
    match = re.match(r"\s([a-z]+?)s?\b", reading.rest[end:])
    dimensions = [dimension for dimension, nouns in _RANKED.items() if match and match[1] in nouns]
    return not dimensions or bool(set(dimensions) & set(fact.dimensions))


def direction_problem(reading: Reading, span: Span, binding: Binding | None) -> str | None:
    """Why a word of direction, judgement or rank is not borne out by the figure it goes with, or None."""
    if binding is None or not binding.facts:
        return "no supported figure goes with this word"
    word = span.text.lower()
    facts = [fact for fact, _ in binding.facts]
    if word in lexicon.FIRST_RANK:
        first = all(fact.rank == 1 and ranks_what_follows(reading, span.end, fact) for fact in facts)
        return None if first else "the figure is not ranked first"
    if word in lexicon.UNCHANGED:
        return None if all(_sign(fact) == 0 for fact in facts) else "the figure has changed"
    if word in lexicon.JUDGEMENTS:
        wanted = lexicon.JUDGEMENTS[word] > 0
        return None if all(fact.is_good is wanted for fact in facts) else "the move is not of that quality"
    wanted_sign = lexicon.DIRECTIONS[word]
    return None if all(_sign(fact) == wanted_sign for fact in facts) else "the fact moved the other way"


def period_problem(reading: Reading, span: Span, bindings: Sequence[Binding]) -> tuple[str | None, str | None]:
    """Why a period does not go with its figure, and which periods would; (None, None) where it does."""
    clause = reading.clause_of(span.start)
    same = [binding for binding in bindings if reading.clause_of(binding.figure.start) == clause]
    before = [binding for binding in same if binding.figure.end <= span.start]
    after = [binding for binding in same if binding.figure.start >= span.end]
    earlier = [binding for binding in bindings if binding.figure.end <= span.start]
    later = [binding for binding in bindings if binding.figure.start >= span.end]
    if not reading.text[: span.start].strip():
        # `So far this quarter bookings rose from $1 to $2` is about the second.
        after, later = ([b for b in found if not _is_previous(b)] for found in (after, later))
    binding = (
        _located_by(reading, span, bindings)
        or next(reversed(before), None)
        or next(iter(after), None)
        or next(reversed(earlier), None)
        or next(iter(later), None)
    )
    if binding is None or not binding.facts:
        return "no supported figure goes with this period", None
    allowed = {phrase for fact, aspect in binding.facts for phrase in _phrases(reading, span, fact, aspect)}
    return (None, None) if span.text in allowed else ("the figure is about another period", ", ".join(sorted(allowed)))


def _phrases(reading: Reading, span: Span, fact: Fact, aspect: str) -> Iterator[str]:
    """The ways in which a figure's period may be named where `span` stands."""
    before, after = reading.text[: span.start], reading.text[span.end :]
    governed = _PREPOSITION.search(before)
    if not governed:
        if aspect != "previous" and not after.startswith(" of "):
            yield period_phrase(fact.period)
        return
    if not fact.previous_period or before.endswith("of "):
        return
    # `from 18 February to $5` would put a day where a value belongs.
    if before.lower().endswith("from ") and after.startswith(" to "):
        return
    compares = _sign(fact) and (
        _COMPARES.search(before) or (aspect in ("delta", "change") and before.endswith(" on ") and not _is_a_day(fact))
    )
    if aspect == "previous" or compares:
        yield previous_period_phrase(fact.period, fact.previous_period)


def _located_by(reading: Reading, span: Span, bindings: Sequence[Binding]) -> Binding | None:
    """The figure that a time leads to: `at the same point last quarter, it was $5`."""
    found = [b for b in bindings if b.figure.start >= span.end]
    is_led = bool(found) and LOCATED.match(reading.text[span.end : found[0].figure.start])
    return found[0] if is_led else None


def _is_previous(binding: Binding) -> bool:
    return bool(binding.facts) and all(aspect == "previous" for _, aspect in binding.facts)


def _is_a_day(fact: Fact) -> bool:
    return fact.period.start == fact.period.end


def _sign(fact: Fact) -> int:
    return {"up": 1, "down": -1}.get(fact.direction or "", 0)


def _name(fact: Fact) -> str | None:
    return None if fact.subject is None else safe_name(fact.subject)


def _aspects(fact: Fact) -> Iterator[tuple[str, str, float]]:
    """(aspect, display, raw value) of everything about a fact that can be shown as a figure."""
    for aspect, display, raw in (
        ("value", fact.display, fact.value),
        ("previous", fact.previous_display, fact.previous),
        ("delta", fact.delta_display, None if fact.delta is None else abs(fact.delta)),
        ("change", fact.change_display, None if fact.change is None else abs(fact.change)),
        ("share", fact.share_display, fact.share),
        ("target", fact.target_display, fact.target),
        ("run_rate", fact.run_rate_display, fact.run_rate),
        ("trend", fact.trend_display, None if fact.trend is None else 0.0),
    ):
        if display is not None and raw is not None:
            yield aspect, display, raw
    if fact.rank is not None and fact.rank > 1:
        yield "rank", f"{fact.rank}th", fact.rank


def _matching(fact: Fact, figure: Figure) -> Iterator[str]:
    """The aspects of a fact that a figure can show."""
    for aspect, display, raw in _aspects(fact):
        if figure.unit == TREND or aspect == "trend":
            if (figure.unit, aspect) == (TREND, "trend") and figure.text == display:
                yield aspect
            continue
        true = _displayed(display)
        if true is None or true.unit != figure.unit:
            continue
        of_hundred = true.unit in ("percent", "points") and (fact.unit == "percent" or aspect in ("change", "share"))
        if same_figure(figure, true, raw * (100 if of_hundred else 1)):
            yield aspect


@lru_cache(maxsize=100_000)
def _displayed(display: str) -> Figure | None:
    return read_figure(display)


def _subject(reading: Reading, figure: Figure) -> str | None:
    """Whom a figure is about: the name right behind it, else the last one before it, else one that its clause or the
    circumstances it belongs to come to, else nobody in particular."""
    following = belongs_to_next(reading, figure)
    if following:
        return following.text
    names = [span for span in reading.names if not is_owner(reading, span)]
    before = [span for span in names if span.end <= figure.start]
    if before:
        return before[-1].text
    start, end = _sentence_of(reading, figure)
    after = [span for span in names if figure.end <= span.start < end]
    clause = reading.clause_of(figure.start)
    near = [span for span in after if reading.clause_of(span.start) == clause]
    introduced = _INTRODUCED.match(reading.rest[start:end])
    if introduced and figure.end <= start + introduced.end():
        near = [span for span in after if span.start == start + introduced.end()] or near
    return near[0].text if near else None


def _counted(reading: Reading, figure: Figure) -> frozenset[str] | None:
    """The metrics that the noun right behind a figure can count, or None where no such noun stands there."""
    match = re.match(
        r"\s(?:(?:open|stalled|won|lost|new|paying|more|fewer|of its|of our)\s)?([a-z]+?)s?\b",
        reading.rest[figure.end :],
    )
    return catalog_nouns().counted.get(match[1]) if match else None


def _sentence_of(reading: Reading, figure: Figure) -> tuple[int, int]:
    return next(span for span in reading.sentences() if span[0] <= figure.start < span[1])


def _of_count(terms: list[Term], figure: Figure, counts: frozenset[str]) -> list[Term]:
    """The words that can say more about what a figure counts: `12 calls mention leaving` is about leaving."""
    fitting = [term for term in terms if term[2] & counts] or terms
    noun = next((term for term in fitting if term[0] == figure.end + 1), None)
    said = next((term for term in fitting if noun and term[0] == noun[1] + 1), None)
    return [said] if said else fitting


def _metrics(reading: Reading, figure: Figure) -> frozenset[str] | None:
    """The metrics that the words nearest to a figure can mean: before it in its clause, behind it, then anywhere.

    Only words of the same sentence count; a noun that another figure counts (`12 calls`) comes last.
    """
    start, end = _sentence_of(reading, figure)
    terms = [term for term in reading.terms if start <= term[0] < end]
    counted = {other.end + 1 for other in reading.figures if other is not figure}
    terms = [term for term in terms if term[0] not in counted] or terms
    counts = _counted(reading, figure)
    if counts is not None:
        terms = _of_count(terms, figure, counts)
    clause = reading.clause_of(figure.start)
    before = [term for term in terms if term[1] <= figure.start]
    after = [term for term in terms if term[0] >= figure.end]
    near_before = [term for term in before if reading.clause_of(term[0]) == clause]
    near_after = [term for term in after if reading.clause_of(term[0]) == clause]
    chosen = near_before[-1:] or near_after[:1] or before[-1:] or after[:1]
    if not chosen:
        return None
    word, meaning = reading.text[chosen[0][0] : chosen[0][1]], chosen[0][2]
    if word.lower() == "worth":
        # What a thing is worth depends on what was said of it before: won, stalled, lost.
        said = [term[2] & meaning for term in before if term is not chosen[0] and term[2] & meaning]
        later = [term[2] & meaning for term in after if term[2] & meaning]
        # Of a thing without a name, `worth` alone says nothing.
        return (said[-1:] or later[:1] or [meaning if reading.names else frozenset()])[0]
    return meaning
