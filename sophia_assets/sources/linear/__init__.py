"""Linear: teams, users, labels, projects, cycles, and issues with their labels and moves.

Belongs here: Linear's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.linear.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Linear",
    address="LINEAR_API_URL",
    names=("LINEAR_API_URL", "LINEAR_API_KEY"),
    required=("LINEAR_API_KEY",),
)

__all__ = ["SETTINGS", "TABLES"]
