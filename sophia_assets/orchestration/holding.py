"""The guard before models are built: what has not been checked is checked, and what rests on bad data is left alone.

Dagster's own blocking would stop all models at once, and only within the run. Here a model that waits is not
materialized, and says why as an observation, while what does not rest on the bad table goes on: the facts and the
briefing above are made from what stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from sophia_assets.errors import SophiaError
from sophia_assets.quality.serving import Serving
from sophia_assets.services import Services
from sophia_assets.warehouse.models import Model


def serving_after_checks(
    context: dg.AssetExecutionContext, services: Services, models: Mapping[str, Model], chosen: Sequence[Model]
) -> Serving:
    """What serves, and so which of `models` wait, after all that `chosen` read has been checked."""
    tables = {table for model in chosen for table in model.dependencies if table not in models}
    try:
        for inspection in services.judge(tables):
            context.log.info(f"{inspection.table.qualified_name} had not been checked since its last load: checked now")
    except SophiaError as error:
        context.log.warning(
            f"What was loaded since the last checks could not be checked; their findings stand: {error}"
        )
    serving = services.serving()
    for table in serving.tables.values():
        broken = "; ".join(f"{name}: {observed}" for name, observed in table.checks.items())
        context.log.warning(f"{table.table} is held back ({broken}). {_meanwhile(table.good_through)}")
    return serving


def held_back_result(context: dg.AssetExecutionContext, serving: Serving, model: Model) -> dg.MaterializeResult[Any]:
    """Says of a model that waits what for; the result makes no materialization, and lets the next steps go on."""
    causes = serving.models[model.qualified_name]
    key = dg.AssetKey([model.schema, model.name])
    reached = [serving.tables[table].good_through for table in causes]
    known = [moment for moment in reached if moment is not None]
    metadata: dict[str, Any] = {
        "outcome": "held back: not rebuilt",
        "waits for": ", ".join(causes),
        "broken checks": [f"{table}.{name}" for table in causes for name in serving.tables[table].checks],
        "meanwhile": _meanwhile(min(known) if len(known) == len(reached) else None),
        "what to do": "Repair what the checks of these tables name; the next run rebuilds the model by itself.",
    }
    context.log_event(dg.AssetObservation(key, metadata=metadata))
    context.log.warning(f"{model.qualified_name} is not rebuilt: it waits for {', '.join(causes)}")
    # The mark by which Dagster takes a result for one that brings no event of its own.
    return dg.MaterializeResult(asset_key=key, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def _meanwhile(reached: Any) -> str:
    if reached is None:
        return "There is no earlier good data: figures that rest on it are left out."
    return f"The last good data serves, up to {reached:%Y-%m-%d %H:%M} UTC."
