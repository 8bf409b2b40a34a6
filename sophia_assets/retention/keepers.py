"""The keepers of everything that is not Dagster's.

Belongs here: which there are, in the order of their rules. Does not belong here: what each does
(`control_keepers`, `file_keepers`, `warehouse_keepers`), Dagster's own (`orchestration.run_retention`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sophia_assets.retention.control_keepers import control_keepers
from sophia_assets.retention.file_keepers import file_keepers
from sophia_assets.retention.warehouse_keepers import warehouse_keepers

if TYPE_CHECKING:
    from sophia_assets.retention.applying import Keeper
    from sophia_assets.services import Services


def own_keepers(services: Services, *, by: str, reason: str) -> list[Keeper]:
    """Those of the control store, the home's files and the warehouse, for whoever removes and why."""
    return [
        *control_keepers(services.control, by=by, reason=reason),
        *file_keepers(services.home, services.control),
        *warehouse_keepers(lambda: services.warehouse, services.home),
    ]
