"""Which systems a metric rests on: found through its models, so that nobody has to write it down."""

from __future__ import annotations

from functools import cache

from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.warehouse.models import load_models, required_tables, systems_read


@cache
def systems_behind(metric: str) -> tuple[str, ...]:
    """The systems without which the catalog's metric means nothing, sorted; none for the platform's own record."""
    catalog, models = load_catalog(), load_models()
    tables = catalog.tables_of(catalog.metrics[metric])
    return tuple(sorted({raw.split(".")[0] for table in tables for raw in required_tables(table, models)}))


@cache
def systems_seen_in(metric: str) -> frozenset[str]:
    """Every system of which a row, a name or a match goes into the catalog's metric."""
    catalog, read = load_catalog(), systems_read(load_models())
    return frozenset().union(*(read[table] for table in catalog.tables_of(catalog.metrics[metric])))
