"""What might be asked next: only questions that are understood as they are meant, about what the reader may see.

Belongs here: ideas for each kind of answer, and trying them. Does not belong here: reading questions (`understanding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sophia_assets.assistant.answers import saying
from sophia_assets.assistant.answers.composing import Asked, Composed
from sophia_assets.assistant.answers.figures import LEADING
from sophia_assets.assistant.interface import Intent, Reading
from sophia_assets.metrics.catalog import Metric

MOST = 3
#: So many ideas are tried at most, since each is read like a question.
_TRIED = 6
_LAST = ("How are we doing?", "What can I ask?")


def follow_ups(
    asked: Asked, composed: Composed, is_readable: Callable[[str], Reading | None] | None
) -> tuple[str, ...]:
    """Up to three questions; each is read, and left out where it is not understood or not to be asked."""
    if is_readable is None:
        return ()
    found: list[str] = []
    own = _plain(asked.question.text)
    wanted = (
        idea for idea in dict.fromkeys([*_ideas(asked, composed), *composed.ideas, *_LAST]) if _plain(idea) != own
    )
    for tried, idea in enumerate(wanted):
        if len(found) == MOST or tried == _TRIED:
            break
        reading = is_readable(idea)
        if reading is not None and all(asked.facts.has(name) for name in reading.metrics):
            found.append(idea)
    return tuple(found)


def _plain(text: str) -> str:
    return text.casefold().rstrip("?. ")


def _ideas(asked: Asked, composed: Composed) -> Iterator[str]:
    """Other sides of what was asked about."""
    metric = next((asked.facts.catalog.metrics[name] for name in asked.reading.metrics), None)
    if metric is None:
        return
    intent, name = asked.reading.intent, metric.label
    dimension = _dimension(metric, asked.reading)
    figures = [fact for fact in composed.facts.values() if fact.metric == metric.name]
    may_have_moved = not figures or any(map(saying.moves, figures))
    if intent is not Intent.EXPLANATION and metric.dimensions and may_have_moved:
        yield f"Why did {metric.spoken} change?"
    if intent is not Intent.TREND and metric.series:
        yield f"{name} trend by month" if "month" in metric.series else f"{name} trend by {metric.series[0]}"
    if intent not in (Intent.BREAKDOWN, Intent.RANKING) and dimension:
        yield f"{name} by {saying.singular(dimension)}"
    if intent in (Intent.BREAKDOWN, Intent.RANKING) and dimension:
        yield f"Top 3 {saying.plural(dimension)} by {name}"
    if intent is not Intent.VALUE:
        yield f"What {'are' if metric.plural else 'is'} {metric.spoken}?"
    yield f"How {'are' if metric.plural else 'is'} {metric.spoken} defined?"


def _dimension(metric: Metric, reading: Reading) -> str | None:
    """What the metric is next broken down by: not what it was just narrowed to or broken down by."""
    used = {reading.dimension, *(each.dimension for each in reading.filters)}
    return next(
        (each for each in (*LEADING, *metric.dimensions) if each in metric.dimensions and each not in used), None
    )
