"""Gong: users, calls with their trackers, transcripts.

Belongs here: Gong's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.gong.client import GongConnection, GongSource, create_source
from sophia_assets.sources.gong.tables import TABLES

CONNECTION = GongConnection

SETTINGS = SystemSettings(
    display_name="Gong",
    address="GONG_BASE_URL",
    names=("GONG_BASE_URL", "GONG_ACCESS_KEY", "GONG_ACCESS_KEY_SECRET"),
    required=("GONG_BASE_URL", "GONG_ACCESS_KEY", "GONG_ACCESS_KEY_SECRET"),
)

__all__ = ["CONNECTION", "SETTINGS", "TABLES", "GongConnection", "GongSource", "create_source"]
