"""Gong: users, calls with trackers, parties and interaction, transcripts, scorecards and their answers, activity.

Belongs here: Gong's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.gong.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Gong",
    address="GONG_BASE_URL",
    names=("GONG_BASE_URL", "GONG_ACCESS_KEY", "GONG_ACCESS_KEY_SECRET"),
    required=("GONG_BASE_URL", "GONG_ACCESS_KEY", "GONG_ACCESS_KEY_SECRET"),
    cache_seconds=600,
)

__all__ = ["SETTINGS", "TABLES"]
