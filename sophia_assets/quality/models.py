"""Validates models by the rules that their headers declare."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sophia_assets.errors import SophiaError
from sophia_assets.quality.client import QualityWorker, Suite, outcomes_of_failure
from sophia_assets.quality.frames import columns_of, read_frame
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.warehouse.building import BuiltModel
from sophia_assets.warehouse.interface import Warehouse

GRAIN = "grain_and_columns_hold"


def inspect_models(
    warehouse: Warehouse, worker: Callable[[], QualityWorker], every: Sequence[BuiltModel]
) -> dict[str, list[Outcome]]:
    """The outcomes of each built model, by `schema.name`: its grain and columns, and its declared rules.

    `worker` is asked only where a model declares rules; where it fails, their outcomes say that they could not run.
    """
    with tempfile.TemporaryDirectory(prefix="sophia-quality-") as name:
        with warehouse.session():
            suites = [_suite(warehouse, built, Path(name)) for built in every if built.model.expectations]
        try:
            found = list(worker().validate_each(suites)) if suites else []
        except SophiaError as error:
            # The models stand, whoever can or cannot look at them: a briefing must not wait for this.
            found = [outcomes_of_failure(suite, str(error)) for suite in suites]
        validated = {suite.table: outcomes for suite, outcomes in zip(suites, found, strict=True)}
    return {
        built.model.qualified_name: [grain(built), *validated.get(built.model.qualified_name, ())] for built in every
    }


def _suite(warehouse: Warehouse, built: BuiltModel, folder: Path) -> Suite:
    model = built.model
    numbers = {name for name, kind in built.types.items() if kind.startswith("decimal")}
    # A rule about a column that was not built is told by the check of the columns.
    rules = [rule for rule in model.expectations if set(columns_of(rule)) <= set(built.types)]
    rows = read_frame(warehouse, model.qualified_name, rules, numbers=numbers, live_only=False)
    return Suite.written(folder, model.qualified_name, rows, rules, is_sealed=warehouse.is_encrypted)


def grain(built: BuiltModel) -> Outcome:
    """Whether no key is repeated, and the columns are those that are declared."""
    model = built.model
    problems = [f"{built.repeated_keys:,} keys occur more than once"] if built.repeated_keys else []
    if built.column_differences:
        problems.append(f"columns that differ from the declaration: {', '.join(built.column_differences)}")
    return Outcome(
        name=GRAIN,
        passed=not problems,
        severity="error",
        expected=f"rows are unique by {', '.join(model.grain)}; the columns are those that are declared",
        observed="; ".join(problems) or f"{built.rows:,} rows, as declared",
        unexpected=built.repeated_keys,
        rows=built.rows,
        recovery=f"Correct sql/{model.schema}/{model.name}.sql or its header",
        guards_downstream=True,
    )
