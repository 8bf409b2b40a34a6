"""Slack: channels, members, messages with their threads.

Belongs here: Slack's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.slack.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Slack",
    address="SLACK_BASE_URL",
    names=("SLACK_BASE_URL", "SLACK_BOT_TOKEN"),
    required=("SLACK_BOT_TOKEN",),
    cache_seconds=120,
)

__all__ = ["SETTINGS", "TABLES"]
