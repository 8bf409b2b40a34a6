"""Decides what a question asks for, from what was spotted in it: the reading, or why there is none.

Belongs here: the parts of a reading by its intent, and whether they fit together. Does not belong here: the intent
(`intents`), the metrics (`metric_reading`), spotting words (`spotting`), the times (`time_reading`), the sentences that
ask back (`asking_back`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sophia_assets.access.principal import RowScope
from sophia_assets.assistant.interface import Intent, NotRead, Reading
from sophia_assets.assistant.understanding import asking_back
from sophia_assets.assistant.understanding.asking_back import Unread
from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import Draft, NameUse
from sophia_assets.assistant.understanding.entities import Name
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.metric_reading import MetricReading
from sophia_assets.assistant.understanding.time_reading import TimeRead, read_times
from sophia_assets.assistant.understanding.vocabulary import COMPANY_METRICS, TOPICS, dimension_label
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.filters import Filter


@dataclass
class Finishing(MetricReading):
    """One draft on its way to a reading."""

    rows: RowScope

    def reading(self) -> Reading:
        """What the question asks for. Raises Unread."""
        draft = self.draft
        self.notes = list(draft.notes)
        if draft.unknown_dimension:
            raise Unread(asking_back.unknown_dimension(draft, self.ground))
        self._check_adjacent()
        if draft.unjoined:
            raise Unread(asking_back.unjoined(draft, self.ground))
        if Cue.EXCLUDE in draft.cues and not any(use.is_excluded for use in draft.names) and not draft.leftovers:
            raise Unread(asking_back.excluded_what())
        if draft.leftovers:
            raise Unread(asking_back.unexplained(draft, self.ground, self.rows))
        intent = self.intent()
        if intent in (Intent.HELP, Intent.FRESHNESS):
            return self._platform(intent)
        if intent is Intent.QUOTES:
            return self._quotes()
        if intent is Intent.OVERVIEW:
            return self._overview()
        return self._figures(intent)

    def _check_adjacent(self) -> None:
        """Two names side by side, one of them said in part, are a name that nobody has: Agnes Smith."""
        for one, other in zip(self.draft.names, self.draft.names[1:], strict=False):
            is_beside = other.tokens[0] == one.tokens[-1] + 1 and one.tokens[-1] < len(self.draft.tokens)
            if (
                is_beside
                and not (one.is_whole and other.is_whole)
                and not self.draft.tokens[one.tokens[-1]].is_possessive
                and {one.names[0].dimension, other.names[0].dimension} <= {"owner", "account"}
            ):
                said = f"{one.said} {other.said}"
                raise Unread(asking_back.unknown_name(said, self.draft, self.ground, self.rows))

    def _platform(self, intent: Intent) -> Reading:
        words = {token.folded for token in self.draft.tokens}
        systems = [name for name in self.ground.names.names if name.dimension == "system" and name.name in words]
        ids = tuple(name.ids[0] for name in systems)
        filters = (Filter("system", ids, tuple(name.name for name in systems)),) if systems else ()
        return Reading(intent, filters=filters, assumptions=tuple(self.notes))

    def _quotes(self) -> Reading:
        filters = self._filters((), ("account",))
        time = self._times(())
        return Reading(
            Intent.QUOTES,
            period=time.period,
            filters=filters,
            search=self.draft.search,
            assumptions=self._said_notes(time),
        )

    def _overview(self) -> Reading:
        metrics = self._overview_metrics()
        filters = self._filters(
            (),
            (
                "account",
                "owner",
                "industry",
                "team",
                "deal",
                "competitor",
                "plan",
                "stage",
                "feature",
                "topic",
                "country",
            ),
        )
        if any(each.dimension == "country" for each in filters):
            raise Unread(asking_back.no_dimension_at_all("country"))
        time = self._times(metrics)
        return Reading(
            Intent.OVERVIEW, metrics, time.period, time.compared_to, filters=filters, assumptions=self._said_notes(time)
        )

    def _overview_metrics(self) -> tuple[str, ...]:
        known = self.ground.catalog.metrics
        topics = [mention.topic for mention in self.draft.mentions if mention.topic is not None]
        if topics:
            wanted = tuple(dict.fromkeys(metric for topic in topics for metric in TOPICS[topic].metrics))
        elif self._is_health():
            wanted = ("customer_health", "customers_at_risk", "mrr_at_risk", "healthy_customers")
        else:
            wanted = () if self.draft.names else COMPANY_METRICS
        return tuple(name for name in wanted if name in known)

    def _figures(self, intent: Intent) -> Reading:
        draft = self.draft
        dimension = self._dimension(intent)
        metrics = self._metrics(intent, dimension)
        dimension = self._dimension_of(dimension, metrics)
        if intent is Intent.DEFINITION:
            return Reading(intent, metrics, assumptions=tuple(self.notes))
        if self._asks_where() and dimension is None:
            intent, dimension = self._where(intent, metrics)
        filters = self._filters(metrics, ())
        for metric in metrics:
            self._check_dimensions(self.ground.known.metrics[metric], dimension, filters)
        intent, dimension = self._settled(intent, dimension, metrics, filters)
        time = self._times(metrics, intent)
        limit = draft.limit or (1 if intent is Intent.RANKING and self._is_single() else None)
        return Reading(
            intent,
            metrics,
            time.period,
            time.compared_to,
            time.grain,
            dimension,
            filters,
            limit,
            self._order(metrics),
            assumptions=self._said_notes(time),
        )

    def _settled(
        self, intent: Intent, dimension: str | None, metrics: Sequence[str], filters: Sequence[Filter]
    ) -> tuple[Intent, str | None]:
        """The intent where the parts of the question have been read."""
        if intent is Intent.RANKING and dimension is None:
            dimension = self._ranked_dimension(metrics, filters)
        if intent is Intent.COMPARISON:
            several = next((each for each in filters if len(each.names) > 1 and not each.is_excluded), None)
            if several and dimension is None:
                dimension = several.dimension
            if len(metrics) < 2 and not several and not self.draft.compared and Cue.CHANGE not in self.draft.cues:
                raise Unread(asking_back.compared_with_what(metrics, self.ground))
        if intent is Intent.TREND and dimension is not None:
            raise Unread(asking_back.trend_or_breakdown(metrics, dimension, self.ground))
        return intent, dimension

    def _ranked_dimension(self, metrics: Sequence[str], filters: Sequence[Filter]) -> str:
        """What is ranked where only a metric is named that has no figure of the whole: what it is told by."""
        metric = self.ground.known.metrics[metrics[0]]
        told_by = list(metric.breakdowns)
        if metric.periods or len(told_by) != 1 or any(each.dimension == told_by[0] for each in filters):
            raise Unread(asking_back.ranked_by_what(metrics, self.ground))
        self.notes.append(f"They are listed by {dimension_label(told_by[0])}.")
        return told_by[0]

    def _asks_where(self) -> bool:
        return bool(self.draft.tokens) and self.draft.tokens[0].folded == "where" and not self.draft.names

    def _where(self, intent: Intent, metrics: Sequence[str]) -> tuple[Intent, str | None]:
        """`Where do deals get stuck`: in which stage; of what has none, no place is known. Raises Unread."""
        metric = self.ground.known.metrics[metrics[0]]
        if "stage" in metric.breakdowns and intent in (Intent.VALUE, Intent.RANKING):
            return (Intent.BREAKDOWN if intent is Intent.VALUE else intent), "stage"
        if intent is Intent.VALUE:
            raise Unread(asking_back.no_dimension(metric, "country", self.draft))
        return intent, None

    def _dimension(self, intent: Intent) -> str | None:
        draft = self.draft
        groupings = {noun.dimension for noun in draft.nouns if noun.is_grouping}
        if len(groupings) > 1:
            raise Unread(asking_back.two_dimensions(draft, self.ground))
        if draft.grouping:
            return draft.grouping
        return draft.head.dimension if draft.head and intent is not Intent.DEFINITION else None

    def _dimension_of(self, dimension: str | None, metrics: Sequence[str]) -> str | None:
        """Whom "who" means for the metrics; and no dimension where "which" asks for none."""
        head = self.draft.head
        if head is None or not head.is_who or self.draft.grouping:
            if dimension == "kind":
                kinds = ("channel_kind", "activity", "document_kind")
                has = self.ground.known.metrics[metrics[0]].dimensions
                return next((each for each in kinds if each in has), "kind")
            return dimension
        metric = self.ground.known.metrics[metrics[0]]
        if metric.area != "sales" and "account" in metric.dimensions:
            return "account"
        return "owner" if "owner" in metric.dimensions else ("account" if "account" in metric.dimensions else "owner")

    def _filters(self, metrics: Sequence[str], allowed: Sequence[str]) -> tuple[Filter, ...]:
        """The names as filters, those of one dimension together. Raises Unread where a name is not sure."""
        made: dict[tuple[str, bool], list[Name]] = {}
        for use in self.draft.names:
            name = self._named(use, metrics, allowed)
            made.setdefault((name.dimension, use.is_excluded), []).append(name)
        return tuple(
            Filter(
                dimension,
                tuple(dict.fromkeys(each for name in names for each in name.ids)),
                tuple(dict.fromkeys(name.name for name in names)),
                is_excluded,
            )
            for (dimension, is_excluded), names in made.items()
        )

    def _named(self, use: NameUse, metrics: Sequence[str], allowed: Sequence[str]) -> Name:
        seen = [name for name in use.names if self.ground.visible(name, self.rows)]
        if not seen:
            raise Unread(asking_back.unknown_name(use.said, self.draft, self.ground, self.rows))
        fitting = [name for name in seen if self._narrows(name, metrics, allowed)]
        dimensions = list(dict.fromkeys(name.dimension for name in fitting or seen))
        chosen_dimension = dimensions[0]
        names = [name for name in (fitting or seen) if name.dimension == chosen_dimension]
        if len(names) > 1:
            raise Unread(asking_back.which_name(use, names, self.draft))
        if not use.is_whole and names[0].name.lower() != use.said.lower():
            self.notes.append(f"“{use.said}” is taken as {names[0].name.removesuffix('.')}.")
        if len(names[0].ids) > 1 and names[0].dimension in ("account", "deal"):
            self.notes.append(f"{len(names[0].ids)} are called {names[0].name}; all of them are counted.")
        return names[0]

    def _narrows(self, name: Name, metrics: Sequence[str], allowed: Sequence[str]) -> bool:
        if not metrics:
            return not allowed or name.dimension in allowed
        return all(
            name.dimension in self.ground.known.metrics[each].dimensions
            and (not name.tables or self.ground.known.metrics[each].table in name.tables or name.is_strong)
            for each in metrics
        )

    def _check_dimensions(self, metric: Metric, dimension: str | None, filters: Sequence[Filter]) -> None:
        wanted = [*([dimension] if dimension else []), *(each.dimension for each in filters)]
        for each in wanted:
            if each not in metric.dimensions:
                raise Unread(asking_back.no_dimension(metric, each, self.draft))

    def _times(self, metrics: Sequence[str], intent: Intent = Intent.OVERVIEW) -> TimeRead:
        return read_times(self.draft, [self.ground.known.metrics[name] for name in metrics], intent, self.ground)

    def _order(self, metrics: Sequence[str]) -> Literal["largest", "smallest"]:
        order = self.draft.order or "largest"
        metric = self.ground.known.metrics[metrics[0]]
        if order in ("best", "worst"):
            is_best_small = metric.good == "down"
            smallest = is_best_small == (order == "best")
            if metric.good != "neutral" and self.draft.order:
                self.notes.append(f"The {order} have the {'lowest' if smallest else 'highest'} {metric.label.lower()}.")
            return "smallest" if smallest else "largest"
        if order in ("shortest", "longest"):
            return "smallest" if order == "shortest" else "largest"
        return "smallest" if order == "smallest" else "largest"

    def _is_single(self) -> bool:
        head = self.draft.head
        return bool(head and head.is_single and not head.is_who and self.draft.order and not self._asks_which())

    def _asks_which(self) -> bool:
        return any(token.folded == "which" for token in self.draft.tokens[:1])

    def _said_notes(self, time: TimeRead) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.notes, *time.notes]))


def finished(draft: Draft, ground: Ground, rows: RowScope) -> Reading | NotRead:
    """The reading of a draft, or why there is none."""
    try:
        return Finishing(replace(draft), ground, rows).reading()
    except Unread as unread:
        return unread.not_read
