"""What a catalog holds, typed: metrics, the dimensions they share, and the words that may mean several of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PeriodKey = Literal["qtd", "last_7d", "last_30d", "last_60d", "as_of"]
Grain = Literal["day", "week", "month", "quarter"]
SeriesGrain = Literal["week", "month", "quarter"]
Unit = Literal["usd", "count", "number", "percent", "days", "score", "minutes"]
Format = Literal["whole", "tenths", "hundredths", "full"]
Area = Literal["sales", "revenue", "customers", "voice", "delivery", "usage", "knowledge", "data_health"]
AccessArea = Literal["sales", "finance", "customer", "engineering", "product", "platform"]
Sensitivity = Literal["internal", "confidential", "restricted"]

AREAS: tuple[str, ...] = get_args(Area)
UNITS: tuple[str, ...] = get_args(Unit)
#: How many days a period or a trend's point holds at least; a metric is not read for less than its grain.
DAYS_OF: dict[str, int] = {
    "day": 1,
    "last_7d": 7,
    "week": 7,
    "month": 28,
    "last_30d": 30,
    "last_60d": 60,
    "quarter": 89,
    "qtd": 89,
}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
Team = Annotated[str, StringConstraints(pattern=r"^team:[a-z][a-z0-9-]*$")]
Text = Annotated[str, StringConstraints(min_length=1, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dimension(_Strict):
    """What a metric can be broken down by: the column with the name that is shown, and the one with the id."""

    column: Name = Field(description="the column with the name that is shown")
    id: Name = Field(description="the column with the id that the name stands for")


class Metric(_Strict):
    """One metric. Each field's description is what `sophia metrics fields` prints."""

    name: Name
    label: Text = Field(description="the name that readers see")
    description: Text = Field(description="one sentence that says what is counted")
    area: Area = Field(description="the part of the business; given once at the top of a file")
    owner: Team = Field(description="who answers for the definition, such as team:revenue")
    access: tuple[AccessArea, ...] = Field(
        min_length=1, description="the areas whose people may see it; nobody else may"
    )
    sensitivity: Sensitivity = Field(description="how closely it is held within these areas")
    kind: Literal["flow", "stock", "ratio"] = Field(
        description="flow: counted over a period; stock: what stands at a day's end; ratio: one metric over another"
    )
    table: TableName | Literal[""] = Field("", description="the model that it is computed from")
    expression: str = Field(
        "", description="an aggregate in Snowflake's dialect; may use `period_start` and `period_end`"
    )
    where: Text | None = Field(None, description="a condition on the rows that count")
    time: Name | None = Field(None, description="for a flow, the day on which a row counts")
    valid: tuple[Name, Name] | None = Field(
        None, description="the columns from which and until which a version of a row was known (UTC)"
    )
    covers: tuple[Name, Name | None] | None = Field(
        None, description="the first day on which a row counts, and the day after its last"
    )
    snapshot: bool = Field(
        False, strict=True, description="whether a stock's table holds only what stands now: no past day is known"
    )
    of: Name | None = Field(None, description="for a ratio, the metric above the line")
    per: Name | None = Field(None, description="for a ratio, the one below; a stock below a flow is that at its start")
    grain: Grain = Field("day", description="the shortest span of time that one value may stand for")
    dimensions: tuple[Name, ...] = Field((), description="what it may be broken down by")
    unit: Unit = Field(description="percent is 0..1, score 1..5, number a mean or an index with one decimal")
    format: Format | None = Field(None, description="decimals, where the unit's own do not fit; full: no K and M")
    good: Literal["up", "down", "neutral"] = Field(description="which direction is welcome")
    target: float | None = Field(
        None, allow_inf_nan=False, description="the value to reach in the first of the periods"
    )
    periods: tuple[PeriodKey, ...] = Field((), description="the comparisons that every briefing needs")
    series: tuple[SeriesGrain, ...] = Field((), description="trends for charts")
    breakdowns: dict[Name, PeriodKey] = Field(
        default_factory=dict, description="dimension: period; computed for every briefing"
    )
    run_rate: Literal["working_days", "days"] | None = Field(
        None, description="what its quarter to date is extrapolated by"
    )
    noun: Text | None = Field(None, description="how a sentence speaks of it; the label in small letters if left out")
    plural: bool = Field(False, strict=True, description="whether the noun takes `are`")
    words: tuple[Text, ...] = Field((), description="further words by which a text means it; several may share one")
    counts: Name | None = Field(None, description="the noun behind its figure, in the singular: `12 deals`")
    synonyms: tuple[Text, ...] = Field((), description="what people call it when they ask")

    @property
    def spoken(self) -> str:
        """The noun in the middle of a sentence."""
        return self.noun or self.label[:1].lower() + self.label[1:]

    @property
    def is_additive(self) -> bool:
        """Whether nothing means zero: true of sums and counts, not of means, ratios and medians."""
        head = self.expression.replace(" ", "").lower()
        return head.startswith(("sum(", "count(", "count_if(")) and "/" not in head


class Catalog(_Strict):
    """All metrics by name, the dimensions they share, and the words that people use for more than one of them."""

    dimensions: dict[Name, Dimension]
    metrics: dict[Name, Metric]
    ambiguous: tuple[str, ...] = ()

    def tables(self) -> tuple[str, ...]:
        """The models that the metrics are computed from, sorted."""
        return tuple(sorted({metric.table for metric in self.metrics.values() if metric.table}))

    def tables_of(self, metric: Metric) -> tuple[str, ...]:
        """The models behind one metric; those of both its parts for a ratio."""
        return tuple(sorted({part.table for part in self.parts(metric)}))

    def parts(self, metric: Metric) -> tuple[Metric, ...]:
        """The metrics that are measured for one: itself, or what a ratio divides."""
        if metric.kind != "ratio":
            return (metric,)
        return tuple(self.metrics[name] for name in (metric.of, metric.per) if name)


def all_words(metric: Metric) -> Iterable[str]:
    """Everything a question may call a metric, in small letters: label, name in words, synonyms."""
    return dict.fromkeys(word.lower() for word in (metric.label, metric.name.replace("_", " "), *metric.synonyms))
