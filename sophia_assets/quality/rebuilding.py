"""Rebuilds the models that were built under other shares than those that are served now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sophia_assets.control.rollouts import Shares
from sophia_assets.quality.serving import Serving, record_of_builds
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model


@dataclass(frozen=True)
class Rebuilt:
    """Which models were rebuilt, with their rows, under which shares, in how many seconds.

    `waiting` ones could not be, each with the raw tables that do not meet their rules.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    shares: Shares | None = None

    def in_words(self) -> str:
        """One line."""
        if not self.rows and not self.waiting:
            return "No model has to be rebuilt"
        told = f"Rebuilt {len(self.rows)} models in {self.seconds:.1f} s"
        if not self.waiting:
            return told
        tables = ", ".join(sorted({table for causes in self.waiting.values() for table in causes}))
        return (
            f"{told}; {len(self.waiting)} wait for {tables}, which did not pass the checks, and figures that rest on "
            "them are left out until then"
        )


def rebuild_outdated(
    warehouse: Warehouse, serving: Serving, models: Mapping[str, Model], parameters: Mapping[str, str]
) -> Rebuilt:
    """Builds, all or none, what `serving` calls outdated, under its shares. Raises as `build_models` does."""
    began = time.monotonic()
    chosen = [model for name, model in models.items() if name in serving.outdated]
    if not chosen:
        return Rebuilt()
    waiting = {model.qualified_name: serving.models[model.qualified_name] for model in chosen
               if model.qualified_name in serving.models}  # fmt: skip
    to_build = [model for model in chosen if model.qualified_name not in waiting]
    built = build_models(
        warehouse,
        chosen,
        parameters,
        held_back=waiting,
        record=record_of_builds(to_build, models, serving.shares),
        conditions=serving.shares.conditions(),
    )
    return Rebuilt(
        {one.model.qualified_name: one.rows for one in built}, waiting, time.monotonic() - began, serving.shares
    )
