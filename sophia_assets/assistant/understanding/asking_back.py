"""Why a question is not answered, said to its reader, and questions that would be.

Belongs here: sentences and choices of questions that are asked back. Does not belong here: deciding that it has to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sophia_assets.access.principal import RowScope
from sophia_assets.assistant.interface import NotRead
from sophia_assets.assistant.understanding.calendar_spans import Calendar, Span
from sophia_assets.assistant.understanding.draft import Draft, NameUse
from sophia_assets.assistant.understanding.entities import Name
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.vocabulary import dimension_label
from sophia_assets.assistant.understanding.words import stem
from sophia_assets.insight.lexicon import word_set
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.periods import long_date

_MOST_CHOICES = 5
_ASK_HELP = "Say “help” to see what can be asked."
_SLOTS = word_set("for of at with by from in about on to")


class Unread(Exception):
    """Carries why a question is not read."""

    def __init__(self, not_read: NotRead) -> None:
        super().__init__(not_read.reason)
        self.not_read = not_read


def about(metric: Metric, rest: str = "") -> str:
    """A question for a metric."""
    return f"What {_is(metric)} {metric.spoken}{' ' if rest else ''}{rest}?"


def unexplained(draft: Draft, ground: Ground, rows: RowScope) -> NotRead:
    """Words that nothing in the data is called."""
    runs = _runs(draft.leftovers)
    said = [_text(draft, run) for run in runs]
    name_like = next((run for run in runs if _is_name_like(draft, run)), None)
    if name_like is not None:
        return unknown_name(_text(draft, name_like), draft, ground, rows)
    metrics = _mentioned(draft, ground)
    counted = _counted(draft, ground)
    if not metrics and counted:
        word = said[0]
        labels = _joined([metric.spoken for metric in counted[:_MOST_CHOICES]], "or")
        choices = tuple(about(metric, _time_text(draft)) for metric in counted[:_MOST_CHOICES])
        return NotRead("clarify", f"“{word}” may mean {labels}; which one is meant?", choices)
    near = metrics or _near(draft, ground)
    words = _joined([f"“{each}”" for each in said])
    if near:
        return NotRead(
            "clarify" if metrics or _is_ambiguous(draft, ground) else "abstained",
            f"Nothing in the data is called {words}, so the question cannot be answered as it stands.",
            tuple(about(metric) for metric in near[:_MOST_CHOICES]),
        )
    return NotRead("abstained", f"Nothing in the data is called {words}. {_ASK_HELP}")


def unknown_name(said: str, draft: Draft, ground: Ground, rows: RowScope) -> NotRead:
    """A name that nothing has."""
    near = [name for name in ground.names.nearest(said) if ground.visible(name, rows)]
    if near:
        names = _joined([name.name for name in near], "or")
        choices = tuple(_with(draft.text, said, name.name) for name in near)
        return NotRead("clarify", f"No account or person is called “{said}”; did you mean {names}?", choices)
    return NotRead("abstained", f"No account or person in the data is called “{said}”.")


def unjoined(draft: Draft, ground: Ground) -> NotRead:
    """Several figures in one phrase."""
    metrics = _mentioned(draft, ground)[:_MOST_CHOICES]
    labels = _joined([metric.spoken for metric in metrics], "and")
    return NotRead(
        "clarify",
        f"The question speaks of {labels}, and it is not clear how they belong together.",
        tuple(about(metric, _time_text(draft)) for metric in metrics),
    )


def counts_others(metric: Metric, wanted: str) -> NotRead:
    """A number of one thing is wanted of a metric that counts another, or nothing."""
    label = f"{metric.spoken[:1].upper()}{metric.spoken[1:]}"
    if metric.unit != "count" or not metric.counts:
        return NotRead("clarify", f"{label} {_is(metric)} no number of {wanted.lower()}.", (about(metric),))
    return NotRead("clarify", f"{label} counts {metric.counts}s, not {wanted.lower()}.", (about(metric),))


def no_stock(metric: Metric, quarter: Span) -> NotRead:
    """Something that comes together over a time is wanted as it stood at one moment."""
    label = f"{metric.spoken[:1].upper()}{metric.spoken[1:]}"
    return NotRead(
        "clarify",
        f"{label} {_is(metric)} counted over a time and not at a moment.",
        (about(metric, f"in {quarter.label}"), about(metric, f"on {long_date(quarter.end)}")),
    )


def _is(metric: Metric) -> str:
    return "are" if metric.plural else "is"


def excluded_what() -> NotRead:
    """Something is left out, and it is not known what."""
    return NotRead("clarify", "It is not clear what is to be left out; name it, such as “bookings without” and a name.")


def which_name(use: NameUse, names: Sequence[Name], draft: Draft) -> NotRead:
    """A name that several have."""
    choices = tuple(_with(draft.text, use.said, name.name) for name in names[:_MOST_CHOICES])
    return NotRead("clarify", f"“{use.said}” may be several; which one is meant?", choices)


def several_figures(draft: Draft, said: str, metrics: Sequence[str], ground: Ground, why: str = "") -> NotRead:
    """A word that may mean several metrics, or none in the wanted unit."""
    known = [ground.known.metrics[name] for name in metrics if name in ground.catalog.metrics]
    if not known:
        return NotRead("abstained", f"{why or f'“{said}” is not in the data.'} {_ASK_HELP}")
    labels = _joined([metric.spoken for metric in known], "or")
    rest = _time_text(draft)
    return NotRead(
        "clarify", f"“{said}” may mean {labels}; which one is meant?", tuple(about(metric, rest) for metric in known)
    )


def no_metric(draft: Draft, ground: Ground) -> NotRead:
    """A question that names no figure."""
    nouns = {noun.dimension for noun in draft.nouns} | {use.names[0].dimension for use in draft.names}
    if len(draft.names) > 1:
        both = " with ".join(use.names[0].name for use in draft.names[:2])
        known = [
            metric
            for metric in ground.catalog.metrics.values()
            if draft.names[0].names[0].dimension in metric.dimensions
        ]
        compared = tuple(f"Compare {both} on {metric.label.lower()}" for metric in known[:_MOST_CHOICES])
        return NotRead("clarify", "It is not said which figure is wanted.", compared)
    if draft.names:
        name = draft.names[0].names[0].name
        return NotRead(
            "clarify", f"It is not said what is wanted of {name}.", (f"How is {name} doing?", f"Tell me about {name}")
        )
    choices = [
        about(metric, _time_text(draft))
        for metric in ground.catalog.metrics.values()
        if nouns & set(metric.dimensions) and "account" not in nouns
    ]
    return NotRead("clarify", f"It is not said which figure is wanted. {_ASK_HELP}", tuple(choices[:_MOST_CHOICES]))


def no_dimension(metric: Metric, dimension: str, draft: Draft) -> NotRead:
    """A dimension that a metric does not have."""
    label = dimension_label(dimension)
    if not metric.dimensions:
        return NotRead(
            "abstained",
            f"{metric.label} is only known as a whole, not by {label}.",
            (about(metric, _time_text(draft)),),
        )
    has = [dimension_label(each) for each in metric.dimensions]
    choices = tuple(f"{metric.label} by {each}" for each in has[:_MOST_CHOICES])
    return NotRead("abstained", f"{metric.label} is not known by {label}; it is by {_joined(has, 'and')}.", choices)


def no_dimension_at_all(dimension: str) -> NotRead:
    """A dimension that nothing is known by."""
    return NotRead("abstained", f"Nothing is told by {dimension_label(dimension)}.")


def unknown_dimension(draft: Draft, ground: Ground) -> NotRead:
    """A word after "by" or "per" that is no dimension."""
    metrics = _mentioned(draft, ground)
    word = draft.unknown_dimension or ""
    if not metrics:
        return NotRead("abstained", f"Nothing in the data is told by “{word}”. {_ASK_HELP}")
    has = [dimension_label(each) for each in metrics[0].dimensions]
    known = f"; it is by {_joined(has, 'and')}" if has else ""
    return NotRead(
        "abstained",
        f"{metrics[0].label} is not known by “{word}”{known}.",
        tuple(f"{metrics[0].label} by {each}" for each in has[:_MOST_CHOICES]),
    )


def two_dimensions(draft: Draft, ground: Ground) -> NotRead:
    """Two breakdowns at once."""
    metrics = _mentioned(draft, ground)
    labels = [dimension_label(noun.dimension) for noun in draft.nouns if noun.is_grouping]
    choices = tuple(f"{metrics[0].label} by {each}" for each in labels) if metrics else ()
    return NotRead("clarify", f"A figure is broken down by one thing at a time: {_joined(labels, 'or')}?", choices)


def ranked_by_what(metrics: Sequence[str], ground: Ground) -> NotRead:
    """A ranking without what is ranked."""
    known = [ground.known.metrics[name] for name in metrics]
    choices = tuple(
        f"Top 5 {_plural(dimension_label(each))} by {metric.label.lower()}"
        for metric in known
        for each in metric.dimensions
    )
    return NotRead("clarify", "It is not said what is to be ranked.", choices[:_MOST_CHOICES])


def compared_with_what(metrics: Sequence[str], ground: Ground) -> NotRead:
    """A comparison with one side."""
    known = ground.known.metrics[metrics[0]]
    label = known.label
    return NotRead(
        "clarify",
        f"It is not said what {known.spoken} {'are' if known.plural else 'is'} to be compared with.",
        (f"Compare {label} this quarter with last quarter", f"How did {label} develop over the last 12 months?"),
    )


def trend_or_breakdown(metrics: Sequence[str], dimension: str, ground: Ground) -> NotRead:
    """A trend of each entity."""
    label = ground.known.metrics[metrics[0]].label
    return NotRead(
        "clarify",
        f"A trend is told of the whole or of one {dimension_label(dimension)}, not of each.",
        (f"{label} by {dimension_label(dimension)}", f"Trend of {label} by month"),
    )


def unusable(name: str, ground: Ground) -> NotRead:
    """A metric whose data is not good at present."""
    metric = ground.known.metrics[name]
    return NotRead(
        "abstained",
        f"{metric.label} rests on data that is missing or does not meet its rules at present, so it is not told.",
        ("Is anything broken?",),
    )


def only_now(metric: Metric) -> NotRead:
    """A past day of what is only known as it stands."""
    return NotRead("abstained", f"{metric.label} is only known as it stands now, not for past days.", (about(metric),))


def too_short(metric: Metric, span: Span, draft: Draft) -> NotRead:
    """A span shorter than a metric's grain."""
    return NotRead(
        "clarify",
        f"{metric.label} is read over a {metric.grain} and more; {span.label} has {span.days} "
        f"{'day' if span.days == 1 else 'days'}.",
        tuple(_with_time(draft, words) for words in ("this quarter", "in the last 30 days", "last month")),
    )


def too_fine(metrics: Sequence[Metric], wanted: str) -> NotRead:
    """A trend in steps that are shorter than a metric's grain."""
    metric = next(each for each in metrics if each.grain != "day")
    return NotRead(
        "clarify",
        f"{metric.label} is read over a {metric.grain} and more, not by {wanted}.",
        (f"{metric.label} by {metric.grain}", f"{metric.label} by quarter"),
    )


def no_such_grain(wanted: str) -> NotRead:
    """A trend by day or year."""
    return NotRead("clarify", f"A trend is told by week, month or quarter, not by {wanted}.")


def several_times() -> NotRead:
    """More times than are read."""
    return NotRead("clarify", "The question names several times; ask for one, or compare two of them.")


def begins_later(span: Span, calendar: Calendar, draft: Draft) -> NotRead:
    """A span that the data covers in part."""
    start = calendar.history_start.isoformat()
    return NotRead(
        "clarify",
        f"The data begins on {long_date(calendar.history_start)}, within {span.label}; ask from then on.",
        (_with_time(draft, f"between {start} and {span.end.isoformat()}"),),
    )


def nothing_before() -> NotRead:
    """A question that completes one that was not asked."""
    return NotRead("clarify", f"It is not said what the question is about. {_ASK_HELP}")


def _mentioned(draft: Draft, ground: Ground) -> list[Metric]:
    names = dict.fromkeys(name for mention in draft.mentions for name in mention.candidates)
    return [ground.known.metrics[name] for name in names if name in ground.catalog.metrics]


def _near(draft: Draft, ground: Ground) -> list[Metric]:
    """Metrics in whose names one of the words stands."""
    found: dict[str, None] = {}
    for place in draft.leftovers:
        found |= dict.fromkeys(ground.metric_words.partial(draft.tokens[place].stem))
    return [ground.catalog.metrics[name] for name in found if name in ground.catalog.metrics]


def _is_ambiguous(draft: Draft, ground: Ground) -> bool:
    """Whether what is left is a word that the catalog says people use for several metrics."""
    return any(
        tuple(draft.tokens[place].stem for place in run) in ground.metric_words.ambiguous
        for run in _runs(draft.leftovers)
    )


def _counted(draft: Draft, ground: Ground) -> list[Metric]:
    """The metrics that count what the one word that is left names: `how many deals` may be won, lost or open."""
    stems = {draft.tokens[place].stem for place in draft.leftovers}
    found = [metric for metric in ground.catalog.metrics.values() if metric.counts and stems == {stem(metric.counts)}]
    return found if len(found) > 1 else []


def _runs(places: Iterable[int]) -> list[tuple[int, ...]]:
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [tuple(run) for run in runs]


def _text(draft: Draft, run: Sequence[int]) -> str:
    return draft.text[draft.tokens[run[0]].start : draft.tokens[run[-1]].end].strip()


def _is_name_like(draft: Draft, run: Sequence[int]) -> bool:
    first = draft.tokens[run[0]]
    is_capital = first.is_capital and run[0] > 0 and not first.text.isupper()
    before = draft.tokens[run[0] - 1].folded if run[0] else ""
    in_slot = before in _SLOTS and bool(first.is_capital or first.is_quoted)
    return is_capital or first.is_quoted or in_slot


def _with(text: str, said: str, name: str) -> str:
    """The question with a name in place of what was said."""
    return text.replace(said, name, 1)


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _with_time(draft: Draft, words: str) -> str:
    """The question with another time."""
    said = _time_text(draft)
    return draft.text.replace(said, words, 1) if said else f"{draft.text.rstrip('?. ')} {words}"


def _joined(parts: Sequence[str], word: str = "and") -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _time_text(draft: Draft) -> str:
    """The words for the time, as they were written."""
    if not draft.times or not draft.times[0].tokens or draft.times[0].tokens[-1] >= len(draft.tokens):
        return ""
    return _text(draft, draft.times[0].tokens)
