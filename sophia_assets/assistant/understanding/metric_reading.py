"""Which metrics a question is about.

Belongs here: the metric that each mention means, the unit that is wanted, and the metric where none is named. Does not
belong here: which of several a mention means (`metric_choice`), the other parts of a reading (`finishing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sophia_assets.assistant.interface import Intent
from sophia_assets.assistant.understanding import asking_back
from sophia_assets.assistant.understanding.asking_back import Unread
from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.intents import Intents
from sophia_assets.assistant.understanding.metric_choice import Wanted, chosen
from sophia_assets.assistant.understanding.metric_words import Mention
from sophia_assets.assistant.understanding.vocabulary import DIMENSION_STEMS, NAMED_BY, RANKED_BY, SOONEST, WORD_CHOICES
from sophia_assets.assistant.understanding.words import stem

# Who works on what is counted, and is counted by no metric.
_WORKERS = dict.fromkeys(("engineers", "developers", "programmers"), "assignee")


@dataclass
class MetricReading(Intents):
    """The metrics of a draft; what is said of the choice goes to `notes`."""

    ground: Ground
    notes: list[str] = field(init=False, default_factory=list)

    def _metrics(self, intent: Intent, dimension: str | None) -> tuple[str, ...]:
        draft = self.draft
        if not draft.mentions:
            return (self._default_metric(intent, dimension),)
        needed = tuple(
            dict.fromkeys(
                [
                    *([dimension] if dimension and dimension != "kind" and not self._is_who() else []),
                    *self._name_dimensions(),
                ]
            )
        )
        found: list[str] = []
        for mention in draft.mentions:
            said = self._said(mention.tokens)
            is_one_figure = intent in (Intent.VALUE, Intent.BREAKDOWN, Intent.RANKING)
            if mention.topic is not None and is_one_figure and said.lower() in WORD_CHOICES:
                raise Unread(asking_back.several_figures(draft, said, WORD_CHOICES[said.lower()], self.ground))
            wanted = Wanted(
                self._units() | self._units_of_when(mention),
                needed,
                is_listing_deals=dimension == "deal"
                and intent in (Intent.RANKING, Intent.BREAKDOWN)
                and not draft.units,
                is_ranking=intent is Intent.RANKING,
                takes_headline=intent in (Intent.TREND, Intent.COMPARISON, Intent.EXPLANATION, Intent.OVERVIEW),
                prefers_value=Cue.HOW_MUCH in draft.cues,
                stems=frozenset(token.stem for token in draft.tokens) if Cue.HOW_MANY in draft.cues else frozenset(),
            )
            stems = (
                self._content()
                if len(draft.mentions) == 1 and self._units() and not self._asks_when()
                else [draft.tokens[place].stem for place in mention.tokens]
                if mention.tokens and mention.tokens[-1] < len(draft.tokens)
                else []
            )
            choice = chosen(mention, said, stems, wanted, self.ground.known, self.ground.metric_words)
            if is_one_figure and tuple(stems) in self.ground.metric_words.ambiguous and not choice.choices:
                candidates = [*mention.candidates, *self.ground.metric_words.partial(stems[0])]
                raise Unread(
                    asking_back.several_figures(draft, said, tuple(dict.fromkeys(candidates))[:5], self.ground)
                )
            if choice.metric is None:
                raise Unread(asking_back.several_figures(draft, said, choice.choices, self.ground, choice.why))
            if choice.note:
                self.notes.append(choice.note)
            if choice.metric not in found:
                found.append(choice.metric)
        self._check_counted(found)
        for name in found:
            if name not in self.ground.catalog.metrics:
                raise Unread(asking_back.unusable(name, self.ground))
        return tuple(found)

    def _check_counted(self, metrics: Sequence[str]) -> None:
        """Raises Unread where a number of one thing is wanted, and the metric counts another: customers, not deals."""
        tokens = self.draft.tokens
        in_mentions = {place for mention in self.draft.mentions for place in mention.tokens}
        for place in range(2, len(tokens)):
            if (tokens[place - 2].folded, tokens[place - 1].folded) not in (("how", "many"), ("number", "of")):
                continue
            noun = DIMENSION_STEMS.get((tokens[place].stem,)) or _WORKERS.get(tokens[place].folded)
            # `How many customer calls` wants calls; `how many customers paid invoices` wants customers.
            if place in in_mentions:
                continue
            for metric in (self.ground.known.metrics[name] for name in metrics):
                counted = stem(metric.counts or "-")
                dimension = DIMENSION_STEMS.get((counted,))
                is_other = tokens[place].folded.endswith("s") and tokens[place].stem != counted
                if noun and noun != dimension and (is_other or (dimension and metric.unit == "count")):
                    raise Unread(asking_back.counts_others(metric, tokens[place].text))

    def _content(self) -> list[str]:
        """What the whole question is about, by stems; those of a lone mention first."""
        return sorted(self.draft.content)

    def _is_who(self) -> bool:
        return self.draft.head is not None and self.draft.head.is_who and not self.draft.grouping

    def _units(self) -> frozenset[str]:
        cues, units = self.draft.cues, set(self.draft.units)
        if Cue.HOW_MANY in cues and not units - {"days"}:
            units.add("count")
        if Cue.HOW_LONG in cues and any(
            token.folded in ("long", "old", "quickly", "quick", "fast", "slow") for token in self.draft.tokens
        ):
            units.add("days")
        if Cue.HOW_MUCH in cues and any(token.folded == "money" for token in self.draft.tokens):
            units.add("usd")
        if "days" in units:
            units.discard("count")
        return frozenset(units)

    def _asks_when(self) -> bool:
        words = [token.folded for token in self.draft.tokens]
        return words[:1] == ["when"] or any(word in SOONEST for word in words)

    def _units_of_when(self, mention: Mention) -> frozenset[str]:
        """`When does an account renew`: what is a time of those that may be meant, where there is one."""
        stems = [self.draft.tokens[place].stem for place in mention.tokens if place < len(self.draft.tokens)]
        names = (*mention.candidates, *self.ground.metric_words.related(stems))
        has_time = any(self.ground.known.metrics[name].unit == "days" for name in names)
        return frozenset({"days"}) if has_time and self._asks_when() else frozenset()

    def _default_metric(self, intent: Intent, dimension: str | None) -> str:
        draft = self.draft
        named = [use.names[0].dimension for use in draft.names]
        is_bare_who = self._is_who() and draft.order in ("best", "worst")
        if (
            intent in (Intent.RANKING, Intent.BREAKDOWN)
            and dimension
            and (draft.order or draft.limit)
            and not is_bare_who
        ):
            metric = RANKED_BY.get(dimension)
            if metric and metric in self.ground.catalog.metrics:
                self.notes.append(f"They are ranked by {self.ground.known.metrics[metric].spoken}.")
                return metric
        for each in named:
            if each in NAMED_BY and draft.cues & {Cue.HOW_MANY, Cue.MENTIONED}:
                return NAMED_BY[each]
        raise Unread(asking_back.no_metric(draft, self.ground))

    def _name_dimensions(self) -> list[str]:
        return list(
            dict.fromkeys(
                use.names[0].dimension for use in self.draft.names if len({n.dimension for n in use.names}) == 1
            )
        )
