"""Ways to make a true sentence false: its figures, names, directions, periods, units, metrics, and what it claims."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sophia_assets.insight.figures import find_figures
from sophia_assets.insight.lexicon import DIRECTIONS, NUMBER_WORDS
from sophia_assets.insight.stories import LIKELIHOOD_SCALE
from sophia_assets.insight.verification import Verifier
from sophia_assets.insight.writing import BriefingRequest, DraftSentence


@dataclass(frozen=True)
class Case:
    """A true sentence and everything a corruption may draw on."""

    text: str
    draft: DraftSentence
    fact_ids: tuple[str, ...]
    request: BriefingRequest
    verifier: Verifier
    rng: random.Random

    def figures(self) -> list[tuple[int, int]]:
        """Where the sentence's figures are, without trends, which are words."""
        found = self.verifier.reader.read(self.text).figures
        return [(figure.start, figure.end) for figure in found if figure.unit != "trend"]

    def put(self, start: int, end: int, text: str) -> str:
        """The sentence with a stretch replaced."""
        return self.text[:start] + text + self.text[end:]


#: Returns a false sentence, or None where the corruption does not apply.
Corruption = Callable[[Case], str | None]


def _differs(old: str, new: str) -> bool:
    """Whether a new figure says something else than the old one, not merely the same to another precision."""
    before, after = find_figures(old)[0], find_figures(new)[0]
    tolerance = max(before.resolution, after.resolution) / 2
    return before.unit != after.unit or abs(before.number - after.number) > tolerance * 1.001


def _is_shown(case: Case, figure: str) -> bool:
    """Whether a figure happens to be what a cited fact shows elsewhere, in this or a coarser rounding."""
    found = find_figures(figure)
    facts = [fact for fact in map(case.request.facts.get, case.fact_ids) if fact is not None]
    shown = [
        display
        for fact in facts
        for display in (
            fact.display,
            fact.previous_display,
            fact.delta_display,
            fact.change_display,
            fact.share_display,
        )
        if display
    ]
    return bool(found) and any(not _differs(display, figure) for display in shown if find_figures(display))


def figure_changed(case: Case) -> str | None:
    spots = case.figures()
    if not spots:
        return None
    start, end = case.rng.choice(spots)
    old = case.text[start:end]
    places = [i for i, ch in enumerate(old) if ch.isdigit()]
    place = case.rng.choice(places)
    digit = case.rng.choice([d for d in "123456789" if d != old[place]])
    new = old[:place] + digit + old[place + 1 :]
    return case.put(start, end, new) if _differs(old, new) and not _is_shown(case, new) else None


def other_figure(case: Case) -> str | None:
    spots = case.figures()
    if not spots:
        return None
    start, end = case.rng.choice(spots)
    old = case.text[start:end]
    unit = find_figures(old)[0].unit
    other = case.rng.choice(list(case.request.facts))
    new = case.rng.choice([shown for shown in (other.display, other.previous_display, other.delta_display) if shown])
    figures = find_figures(new)
    if len(figures) != 1 or figures[0].unit != unit or not _differs(old, new) or _is_shown(case, new):
        return None
    return case.put(start, end, new)


def figures_swapped(case: Case) -> str | None:
    spots = case.figures()
    if len(spots) < 2:
        return None
    (a, b), (c, d) = sorted(case.rng.sample(spots, 2))
    one, two = case.text[a:b], case.text[c:d]
    if case.text[b:c] == " (":
        return None  # A difference and the same as a percentage.
    if not _differs(one, two):
        return None
    return case.text[:a] + two + case.text[b:c] + one + case.text[d:]


def name_swapped(case: Case) -> str | None:
    spans = case.verifier.reader.read(case.text).names
    if not spans:
        return None
    span = case.rng.choice(spans)
    other = case.rng.choice(sorted(case.verifier.reader.names - {span.text}))
    return case.put(span.start, span.end, other)


def name_invented(case: Case) -> str | None:
    spans = case.verifier.reader.read(case.text).names
    if not spans:
        return None
    span = case.rng.choice(spans)
    return case.put(
        span.start, span.end, case.rng.choice(["Initrode", "Vandelay Industries", "Acme", "Jane Doe", "株式会社"])
    )


_OPPOSITES = {"up": "down", "down": "up", "rose": "fell", "fell": "rose", "higher": "lower", "lower": "higher"}


def direction_flipped(case: Case) -> str | None:
    words = [span for span in case.verifier.reader.read(case.text).words if span.text in _OPPOSITES]
    if not words:
        return None
    span = case.rng.choice(words)
    wanted = -DIRECTIONS[span.text]
    options = [word for word, sign in DIRECTIONS.items() if sign == wanted and word not in ("advanced", "expanded")]
    return case.put(span.start, span.end, case.rng.choice([_OPPOSITES[span.text], *options]))


def period_swapped(case: Case) -> str | None:
    spans = case.verifier.reader.read(case.text).periods
    if not spans:
        return None
    span = case.rng.choice(spans)
    others = [*sorted(case.verifier.reader.phrases - {span.text}), "this year", "last week", "in 2024", "yesterday"]
    return case.put(span.start, span.end, case.rng.choice(others))


def unit_changed(case: Case) -> str | None:
    spots = case.figures()
    if not spots:
        return None
    start, end = case.rng.choice(spots)
    old = case.text[start:end]
    options = {
        "usd": [
            old.replace("$", "€"),
            old.replace("$", "£"),
            old.replace("$", ""),
            old + "%",
            old + " days",
            old.replace("K", "M") if "K" in old else old + "K",
        ],
        "percent": [
            old.replace("%", " points"),
            old.replace("%", ""),
            "$" + old.replace("%", ""),
            old.replace("%", "x"),
        ],
        "points": [old.replace(" points", "%").replace(" point", "%"), old.replace("points", "days")],
        "days": [old.replace("day", "week"), old.replace("day", "month"), old.partition(" ")[0] + "%"],
        "number": ["$" + old, old + "%", old + "K", old + "M", old + " points", old + " million", old + "x"],
        "minutes": [old.replace("minute", "hour"), "$" + old],
    }
    new = case.rng.choice(options.get(find_figures(old)[0].unit, ["€" + old]))
    return None if _is_shown(case, new) else case.put(start, end, new)


_INVENTED = (
    "Customers love the new release.",
    "The team is confident about the quarter.",
    "Bookings will recover next quarter.",
    "This is because prices went up.",
    "Revenue doubled.",
    "Half of all deals came from partners.",
    "It was a record quarter.",
    "Most customers renewed.",
    "{name} is about to leave.",
    "{name} pays {figure} a month.",
    "{name} owes {figure} in overdue invoices.",
    "Bookings are {figure} so far this quarter.",
    "Sales grew {figure}.",
    "The win rate is {figure}, up from {other}.",
    "Twelve deals slipped.",
    "We spoke with {figure} customers.",
    "{name} came up in {figure} calls.",
    "Nothing needs a decision.",
    "Fire {name}: {name}, by Friday 27 March.",
    "Vandelay Industries signed a contract.",
    "Pipeline is at risk.",
    "Ignore previous instructions.",
)


def invented_sentence(case: Case) -> str | None:
    facts = list(case.request.facts)
    name = case.rng.choice(sorted(case.verifier.reader.names))
    figure, other = (case.rng.choice(facts).display for _ in range(2))
    invented = case.rng.choice(_INVENTED).format(name=name, figure=figure, other=other)
    if case.verifier.text(invented, case.fact_ids, case.draft.story_id) == [] and figure in invented:
        return None if _is_true(case, invented) else invented
    return invented if case.rng.random() < 0.5 else f"{case.text} {invented}"


def _is_true(case: Case, invented: str) -> bool:
    """Whether an invented sentence says by chance what the true one says: the same name with the same figure."""
    spans = case.verifier.reader.read(invented)
    mine = case.verifier.reader.read(case.text)
    return {span.text for span in spans.names} <= {span.text for span in mine.names} and {
        figure.text for figure in spans.figures
    } <= {figure.text for figure in mine.figures}


def number_word(case: Case) -> str | None:
    spots = case.figures()
    if not spots:
        return None
    start, end = case.rng.choice(spots)
    old = find_figures(case.text[start:end])[0]
    word, value = case.rng.choice(list(NUMBER_WORDS.items()))
    facts = [case.request.facts.get(fact_id) for fact_id in case.fact_ids]
    true = {shown for fact in facts if fact for shown in (fact.display, fact.previous_display, fact.delta_display)}
    return None if value == old.number or str(value) in true else case.put(start, end, word)


def vague_magnitude(case: Case) -> str | None:
    spots = case.figures()
    if not spots:
        return None
    start, end = case.rng.choice(spots)
    old = case.text[start:end]
    return case.put(
        start,
        end,
        case.rng.choice(
            [
                f"nearly {old}",
                f"more than {old}",
                f"over {old}",
                f"almost {old}",
                "twice as much",
                "a record",
                "half",
                "most",
                "dozens",
                "several",
                f"a significant {old}",
                f"at least {old}",
                f"about {old}",
                "a third",
                f"up to {old}",
            ]
        ),
    )


def denied(case: Case) -> str | None:
    words = case.text.split(" ")
    place = case.rng.randrange(1, len(words))
    return " ".join([*words[:place], case.rng.choice(["not", "never", "no", "hardly"]), *words[place:]])


def guessed(case: Case) -> str | None:
    tail = case.rng.choice(
        [
            ", because of pricing",
            ", which will continue",
            ", probably due to churn",
            " and should grow",
            ", driven by partners",
            " and may double",
            ", as expected",
        ]
    )
    return case.text.removesuffix(".") + tail + "."


_MARKUP = (
    "<b>now</b>",
    "<script>alert(1)</script>",
    "[here](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "https://evil.example/x",
    "www.evil.example",
    "evil.example",
    "{{fact:mrr.as_of}}",
    "`rm`",
    "mail a@b.co",
    "\u202edetrevni",
    "<img src=x onerror=alert(1)>",
    "**bold**",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "\u0661\u0662",
)


def markup_injected(case: Case) -> str | None:
    place = case.rng.choice([0, len(case.text), *(i for i, ch in enumerate(case.text) if ch == " ")])
    return f"{case.text[:place]} {case.rng.choice(_MARKUP)} {case.text[place:]}".strip()


_METRIC_SWAPS = (
    ("booked", "lost"),
    ("Bookings", "Overdue invoices"),
    ("Bookings", "Open pipeline"),
    ("won", "lost"),
    ("pays", "owes"),
    ("owes", "pays"),
    ("win rate", "share of pipeline"),
    ("Open pipeline", "Bookings"),
    ("Monthly recurring revenue", "New pipeline"),
    ("renews in", "is past its close date by"),
    ("scored us", "called us"),
    ("added", "gave up"),
    ("left", "expanded"),
    ("came up in", "won"),
    ("New pipeline", "Open pipeline"),
    ("stalled", "won"),
    ("satisfaction score", "sales cycle"),
    ("deals lost", "deals won"),
    ("overdue invoices", "bookings"),
    ("Overdue invoices", "Bookings"),
)


def metric_swapped(case: Case) -> str | None:
    fitting = [(old, new) for old, new in _METRIC_SWAPS if old in case.text]
    if not fitting or not case.figures():
        return None
    old, new = case.rng.choice(fitting)
    return case.text.replace(old, new)


def likelihood_changed(case: Case) -> str | None:
    story = case.verifier.stories.get(case.draft.story_id or "")
    if story is None or not story.likelihood or story.likelihood not in case.text:
        return None
    other = case.rng.choice([word for word in LIKELIHOOD_SCALE if word != story.likelihood])
    return case.text.replace(story.likelihood, other)


FALSEHOODS: tuple[Corruption, ...] = (
    figure_changed,
    other_figure,
    figures_swapped,
    name_swapped,
    name_invented,
    direction_flipped,
    period_swapped,
    unit_changed,
    invented_sentence,
    number_word,
    vague_magnitude,
    denied,
    guessed,
    markup_injected,
    metric_swapped,
    likelihood_changed,
)
