"""Reads the metric catalog and refuses what is wrong in it, naming the metric, the field and what is allowed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from sophia_assets.errors import ConfigurationError

CATALOG_FILE = Path(__file__).with_name("catalog.yaml")

PeriodKey = Literal["qtd", "last_7d", "last_30d", "last_60d", "as_of"]
SeriesGrain = Literal["week", "month", "quarter"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dimension(_Strict):
    """What a metric can be broken down by: the column with the name that is shown, and the one with the id."""

    column: Name
    id: Name


class Metric(_Strict):
    """One metric; `catalog.yaml` says what each field means."""

    name: Name
    label: str
    description: str
    area: Literal["sales", "revenue", "customers", "voice"]
    owner: str
    kind: Literal["flow", "stock"]
    table: str
    expression: str
    where: str | None = None
    time: Name | None = None
    valid: tuple[Name, Name] | None = None
    covers: tuple[Name, Name | None] | None = None
    unit: Literal["usd", "count", "percent", "days", "score", "minutes"]
    good: Literal["up", "down", "neutral"]
    periods: tuple[PeriodKey, ...] = ()
    series: tuple[SeriesGrain, ...] = ()
    breakdowns: dict[Name, PeriodKey] = Field(default_factory=dict)
    synonyms: tuple[str, ...] = ()
    target: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Metric:
        if self.kind == "flow" and not self.time:
            raise ValueError("a flow needs `time`, the day on which a row counts")
        if self.kind == "stock" and not (self.valid or self.covers):
            raise ValueError("a stock needs `valid` or `covers`, to know what stood on a day")
        used = {*self.periods, *self.breakdowns.values()}
        if self.kind == "stock" and used - {"as_of"}:
            raise ValueError("a stock is measured `as_of` a day only")
        if self.kind == "flow" and "as_of" in used:
            raise ValueError("a flow has no `as_of`; use qtd, last_7d, last_30d or last_60d")
        return self

    @property
    def is_additive(self) -> bool:
        """Whether nothing means zero: true of sums and counts, not of means, ratios and medians."""
        head = self.expression.replace(" ", "").lower()
        return head.startswith(("sum(", "count(")) and "/" not in head


class Catalog(_Strict):
    """All metrics by name, and the dimensions they share."""

    dimensions: dict[Name, Dimension]
    metrics: dict[Name, Metric]

    @model_validator(mode="after")
    def _known_dimensions(self) -> Catalog:
        for metric in self.metrics.values():
            for dimension in metric.breakdowns:
                if dimension not in self.dimensions:
                    known = ", ".join(self.dimensions)
                    raise ValueError(f"{metric.name}: {dimension!r} is no dimension; known: {known}")
        return self


@lru_cache(maxsize=4)
def load_catalog(path: Path = CATALOG_FILE) -> Catalog:
    """The catalog in a YAML file. Raises ConfigurationError in one line for the first thing wrong."""
    import yaml

    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("metrics"), dict):
        raise ConfigurationError(f"{path.name} has no `metrics`")
    metrics = {
        name: {"name": name, **block} if isinstance(block, dict) else block
        for name, block in content["metrics"].items()
    }
    try:
        return Catalog.model_validate({"dimensions": content.get("dimensions", {}), "metrics": metrics})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path.name}: {where}: {first['msg']}") from None


def _loader() -> Any:
    """YAML's safe loader, but a key that comes twice is an error: the later block would silently win."""
    import yaml

    fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(fastest):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [key.value for key, _ in node.value]
            for key, _ in node.value:
                if names.count(key.value) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is there more than once", key.start_mark
                    )
            return super().construct_mapping(node, deep=deep)

    return Loader
