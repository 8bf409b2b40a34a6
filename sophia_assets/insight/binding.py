"""Binds the figures, directions and periods of a text to the facts that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sophia_assets.insight import lexicon
from sophia_assets.insight.figures import Figure, read_figure, same_figure
from sophia_assets.insight.mentions import NAME_MASK, Reading, Span
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.nouns import catalog_nouns
from sophia_assets.insight.slots import period_phrase, previous_period_phrase
from sophia_assets.metrics.facts import Fact

_MOVE = "|".join(sorted([*lexicon.DIRECTIONS, *lexicon.JUDGEMENTS]))
_CHANGE_BEFORE = re.compile(rf"(?i)\b(?:{_MOVE})(?:\s(?:by|of|another|a further))?\s*$")
_CHANGE_AFTER = re.compile(r"(?i)^\s(?:higher|lower|more|fewer|less|up|down|better|worse)\b")
_PREVIOUS_BEFORE = re.compile(r"(?i)\b(?:from|against|versus|compared (?:with|to)|after|instead of)(?:\sthe)?\s*$")
_TARGET_BEFORE = re.compile(r"(?i)\b(?:target|goal)(?:\sof|\sis)?\s*$")
_RUN_RATE_BEFORE = re.compile(r"(?i)\brun-rate of\s*$")
_SHARE_AFTER = re.compile(r"(?i)^\sof\b")
_PREPOSITION = re.compile(r"(?i)\b(?:from|since|than|with|against|to|of|at|by|on|in|for|over|before|after)\s$")
_BELONGS_TO_NEXT = re.compile(rf"(?i)^\s(?:\w+\s){{0,2}}(?:from|with|at|for|in|by|of|to)\s(?:the\s)?(?={NAME_MASK})")


@dataclass(frozen=True)
class Binding:
    """A figure with the (fact, aspect) pairs that support it; with none, `problem` says why."""

    figure: Figure
    facts: tuple[tuple[Fact, str], ...]
    problem: str = ""
    expected: str | None = None


def bind_figure(reading: Reading, figure: Figure, cited: Sequence[Fact]) -> Binding:
    """Finds the cited facts that have this figure in this role, about this subject and metric."""
    same = [(fact, aspect) for fact in cited for aspect, _ in _matching(fact, figure)]
    if not same:
        shown = {display for fact in cited for _, display, _ in _aspects(fact)}
        return Binding(figure, (), "no cited fact has this figure", ", ".join(sorted(shown)) or None)
    roles = _roles(reading, figure)
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
    counted = _counted(reading, figure)
    right = [
        (fact, aspect)
        for fact, aspect in meant
        if counted is None or (figure.unit in ("number", "days") and fact.metric in counted)
    ]
    if not right:
        return Binding(
            figure, (), f"the figure does not count what stands behind it: it is {meant[0][0].label}", meant[0][0].label
        )
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
    for place, binding in enumerate(settled):
        compares = binding.facts and all(aspect in ("delta", "change", "previous") for _, aspect in binding.facts)
        if compares and shown:
            fitting = tuple(pair for pair in binding.facts if pair[0].id in shown)
            problem = "" if fitting else "the figure and the values beside it are not about the same"
            settled[place] = replace(binding, facts=fitting, problem=problem)
    return settled


def bound_to(reading: Reading, span: Span, bindings: Sequence[Binding]) -> Binding | None:
    """The figure that a direction word goes with: the next in its clause, else the last in it, else the last before."""
    clause = reading.clause_of(span.start)
    same = [binding for binding in bindings if reading.clause_of(binding.figure.start) == clause]
    after = [binding for binding in same if binding.figure.start >= span.end]
    before = [binding for binding in same if binding.figure.end <= span.start]
    earlier = [binding for binding in bindings if binding.figure.end <= span.start]
    return next(iter(after), None) or next(reversed(before), None) or next(reversed(earlier), None)


def direction_problem(span: Span, binding: Binding | None) -> str | None:
    """Why a word of direction, judgement or rank is not borne out by the figure it goes with, or None."""
    if binding is None or not binding.facts:
        return "no supported figure goes with this word"
    word = span.text.lower()
    facts = [fact for fact, _ in binding.facts]
    if word in lexicon.FIRST_RANK:
        return None if all(fact.rank == 1 for fact in facts) else "the figure is not ranked first"
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
    binding = (
        next(reversed(before), None)
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
    governed = bool(_PREPOSITION.search(reading.text[: span.start]))
    after = reading.text[span.end :]
    if not governed and aspect != "previous" and not after.startswith(" of "):
        yield period_phrase(fact.period)
    # `from 18 February to $5` would put a day where a value belongs.
    misplaced = after.startswith(" to ") or reading.text[: span.start].endswith("of ")
    if governed and not misplaced and fact.previous_period and (aspect == "previous" or _sign(fact)):
        yield previous_period_phrase(fact.period, fact.previous_period)


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
    ):
        if display is not None and raw is not None:
            yield aspect, display, raw
    if fact.rank is not None and fact.rank > 1:
        yield "rank", f"{fact.rank}th", fact.rank


def _matching(fact: Fact, figure: Figure) -> Iterator[tuple[str, str]]:
    for aspect, display, raw in _aspects(fact):
        true = read_figure(display)
        if true is None:
            continue
        scale = (
            100
            if true.unit in ("percent", "points") and (fact.unit == "percent" or aspect in ("change", "share"))
            else 1
        )
        if same_figure(figure, true, raw * scale):
            yield aspect, display


def _roles(reading: Reading, figure: Figure) -> frozenset[str]:
    """What a figure can be, by the words around it."""
    floor = max((other.end for other in reading.figures if other.end <= figure.start), default=0)
    before, after = reading.rest[floor : figure.start], reading.rest[figure.end :]
    if figure.unit == "rank":
        return frozenset({"rank"})
    if _RUN_RATE_BEFORE.search(before):
        return frozenset({"run_rate"})
    if _CHANGE_BEFORE.search(before) or _CHANGE_AFTER.search(after):
        return frozenset({"delta", "change"})
    if _TARGET_BEFORE.search(before):
        return frozenset({"target"})
    if _PREVIOUS_BEFORE.search(before):
        return frozenset({"previous"})
    if figure.unit == "percent" and _SHARE_AFTER.search(after):
        return frozenset({"share"})
    return frozenset({"value"})


def _subject(reading: Reading, figure: Figure) -> str | None:
    """Whom a figure is about: the name right behind it, else the last one before it, else nobody in particular."""
    following = _BELONGS_TO_NEXT.match(reading.rest[figure.end :])
    if following:
        return next((span.text for span in reading.names if span.start == figure.end + following.end()), None)
    before = [span for span in reading.names if span.end <= figure.start]
    return before[-1].text if before else None


def _counted(reading: Reading, figure: Figure) -> frozenset[str] | None:
    """The metrics that the noun right behind a figure can count, or None where no such noun stands there."""
    match = re.match(
        r"\s(?:(?:open|stalled|won|lost|new|paying|more|fewer|of its|of our)\s)?([a-z]+?)s?\b",
        reading.rest[figure.end :],
    )
    return catalog_nouns().counted.get(match[1]) if match else None


def _metrics(reading: Reading, figure: Figure) -> frozenset[str] | None:
    """The metrics that the words nearest to a figure can mean: before it in its clause, behind it, then anywhere.

    Only words of the same sentence count; a noun that another figure counts (`12 calls`) comes last.
    """
    start, end = next(span for span in reading.sentences() if span[0] <= figure.start < span[1])
    terms = [term for term in reading.terms if start <= term[0] < end]
    counted = {other.end + 1 for other in reading.figures if other is not figure}
    terms = [term for term in terms if term[0] not in counted] or terms
    clause = reading.clause_of(figure.start)
    before = [term for term in terms if term[1] <= figure.start]
    after = [term for term in terms if term[0] >= figure.end]
    near_before = [term for term in before if reading.clause_of(term[0]) == clause]
    near_after = [term for term in after if reading.clause_of(term[0]) == clause]
    chosen = near_before[-1:] or near_after[:1] or before[-1:] or after[:1]
    if not chosen:
        return None
    word, meaning = reading.text[slice(*chosen[0][:2])], chosen[0][2]
    if word.lower() == "worth":
        # What a thing is worth depends on what was said of it before: won, stalled, lost.
        said = [term[2] & meaning for term in before if term is not chosen[0] and term[2] & meaning]
        return said[-1] if said else meaning
    return meaning
