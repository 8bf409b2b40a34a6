"""Where an answer's facts come from: the newest briefing where it has them, else the data; policy before either.

Belongs here: finding a fact for somebody. Does not belong here: who may see what (`access.policies`), measuring
(`metrics.on_demand`), or what is said of a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from sophia_assets.access import policies
from sophia_assets.access.principal import Principal
from sophia_assets.assistant.answers import spans_of_time
from sophia_assets.assistant.answers.briefing_answers import NewestBriefing
from sophia_assets.control.rollouts import EVERYTHING, NOTHING, Shares
from sophia_assets.errors import SophiaError
from sophia_assets.insight.names import with_safe_names
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.facts import Fact, FactSet, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.origins import systems_seen_in

if TYPE_CHECKING:
    from sophia_assets.warehouse.models import Model
    from sophia_assets.warehouse.reading import Reading

FROM_DATA = "data"


class NotToBeSeen(SophiaError):
    """Whoever asks may not see what the question is about; the message says nothing about it."""


class NothingKnown(SophiaError):
    """There is no data that the question could be answered from."""


class FactSource:
    """The facts that one principal may see, of one state of the data.

    `catalog` holds every metric that there is, `data.catalog` those that have good data. `answered_from` gives the
    sources of the facts that were given out, in order of first use.
    """

    def __init__(
        self,
        principal: Principal,
        data: Reading,
        catalog: Catalog,
        models: Mapping[str, Model],
        briefing: NewestBriefing | None,
        shares: Shares,
    ) -> None:
        self.principal, self.data, self.catalog = principal, data, catalog
        self.briefing = briefing if briefing is not None and briefing.day == data.day else None
        self._models, self._shares = models, shares
        self._denials: dict[str, str | None] = {}
        self.answered_from: dict[str, None] = {}

    def may_see(self, name: str) -> bool:
        """Whether the principal may see a metric; one that the catalog does not know is denied."""
        if name not in self._denials:
            metric = self.catalog.metrics.get(name)
            self._denials[name] = (
                "unknown" if metric is None else policies.deny_metric(self.principal, metric, self._models)
            )
        return self._denials[name] is None

    @cached_property
    def dimensions(self) -> frozenset[str]:
        """By what the metrics that may be seen are known; whoever sees accounts sees of which country they are."""
        seen = (metric for name, metric in self.catalog.metrics.items() if self.may_see(name))
        found = {dimension for metric in seen for dimension in metric.dimensions}
        return frozenset({*found, *(["country"] if "account" in found else [])})

    def metric(self, name: str) -> Metric:
        """A metric that may be seen and has data. Raises NotToBeSeen, NothingKnown."""
        if not self.may_see(name):
            raise NotToBeSeen(
                "that is not among the figures you may see",
                remedy="Ask whoever manages access, or ask what you can ask",
            )
        metric = self.catalog.metrics[name]
        if name not in self.data.catalog.metrics or self._is_withheld(name):
            raise NothingKnown(
                f"there is no good data for {metric.spoken} at the moment",
                remedy="Ask how current the data is to see which system it waits for",
            )
        return metric

    def has(self, name: str) -> bool:
        """Whether a metric may be seen and has data."""
        return self.may_see(name) and name in self.data.catalog.metrics and not self._is_withheld(name)

    def is_stock(self, metric: Metric) -> bool:
        """Whether a metric says what stands at the end of a day."""
        return spans_of_time.is_stock(metric, self.catalog.parts(metric))

    def period_of(self, metric: Metric, period: Period | None) -> Period:
        """The days that a metric is measured over: those of the question, or its own."""
        if period is None:
            return spans_of_time.own_period(metric, self.catalog.parts(metric), self.data.context)
        if self.is_stock(metric) and period.start != period.end:
            return spans_of_time.at_its_end(period, self.data.context)
        return period

    def pair(self, metric: Metric, period: Period | None, compared: Period | None) -> tuple[Period, Period | None]:
        """The days that a metric is measured over and those it is held against."""
        measured = self.period_of(metric, period)
        if compared is not None and (period is not None or self.is_stock(metric)):
            return measured, self.period_of(metric, compared)
        return measured, spans_of_time.before(measured, self.data.context, self.is_stock(metric))

    def whole(
        self,
        metric: Metric,
        period: Period | None = None,
        compared: Period | None = None,
        filters: Sequence[Filter] = (),
    ) -> Fact | None:
        """A metric's fact over all rows, or over those that `filters` leave; None where nothing is known.

        Narrowed to one entity, the fact is about it.
        """
        from sophia_assets.metrics.on_demand import measure

        measured, previous = self.pair(metric, period, compared)
        entity = _only_entity(filters)
        if self.briefing and (not filters or entity):
            key = (entity.dimension, entity.ids[0]) if entity else None
            found = self._published(metric, measured, previous, key)
            if found is not None:
                return found
        facts = measure(
            self.data, metric, measured, previous, filters=tuple(filters), condition=self._condition(metric)
        )
        return next(iter(self._given(facts)), None)

    def by(
        self,
        metric: Metric,
        dimension: str,
        period: Period | None = None,
        compared: Period | None = None,
        filters: Sequence[Filter] = (),
        *,
        limit: int | None = None,
        order: str = "largest",
    ) -> list[Fact]:
        """A metric's facts by entity, in the order that is asked for."""
        from sophia_assets.metrics.on_demand import measure

        measured, previous = self.pair(metric, period, compared)
        facts = measure(
            self.data,
            metric,
            measured,
            previous,
            dimension=dimension,
            filters=tuple(filters),
            condition=self._condition(metric),
            limit=limit,
            order="smallest" if order == "smallest" else "largest",
        )
        return self._given(facts)

    def series(self, metric: Metric, periods: Sequence[Period], filters: Sequence[Filter] = ()) -> list[Fact]:
        """A metric's facts for consecutive periods, oldest first; those of which nothing is known are left out."""
        from sophia_assets.metrics.on_demand import measure_series

        if self.is_stock(metric):
            wanted = [replace(period, end=min(period.end, self.data.day)) for period in periods]
        else:
            wanted = list(periods)
        facts = measure_series(self.data, metric, wanted, filters=tuple(filters), condition=self._condition(metric))
        return sorted(self._given(facts), key=lambda fact: fact.period.start)

    def columns(self, metric: Metric) -> frozenset[str]:
        """The columns that every table behind a metric has."""
        tables = [self._models[table].columns for table in self.catalog.tables_of(metric)]
        return frozenset(tables[0]).intersection(*tables[1:]) if tables else frozenset()

    @cached_property
    def account_condition(self) -> str | None:
        """The rows of `marts.accounts` (as `t`) that may be seen, as a condition; None for all. Raises AccessDenied."""
        return policies.row_condition(self.principal, self._models["marts.accounts"].columns)

    def _condition(self, metric: Metric) -> str | None:
        return policies.row_condition(self.principal, self.columns(metric))

    def _published(
        self, metric: Metric, period: Period, previous: Period | None, entity: tuple[str, str] | None
    ) -> Fact | None:
        """The briefing's fact, where it is about the same days and still served as it was."""
        found = self.briefing.find(metric.name, period.key, entity) if self.briefing else None
        if found is None or (found.period.start, found.period.end) != (period.start, period.end):
            return None
        if any(self._shares.of(system) != EVERYTHING for system in systems_seen_in(metric.name)):
            return None
        theirs, wanted = found.previous_period, previous
        if wanted is not None and (theirs is None or (theirs.start, theirs.end) != (wanted.start, wanted.end)):
            return None
        if self.briefing:
            self.answered_from[self.briefing.name] = None
        return found

    def _given(self, facts: Sequence[Fact]) -> list[Fact]:
        self.answered_from[FROM_DATA] = None
        return list(with_safe_names(FactSet(facts)))

    def _is_withheld(self, name: str) -> bool:
        return any(self._shares.of(system) == NOTHING for system in systems_seen_in(name))


def _only_entity(filters: Sequence[Filter]) -> Filter | None:
    """The filter, where there is one alone and it names one entity."""
    only = filters[0] if len(filters) == 1 else None
    return only if only is not None and len(only.ids) == 1 and not only.is_excluded else None
