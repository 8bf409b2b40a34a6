"""HubSpot: companies, contacts, deals with their history, line items, tickets, meetings, calls, owners, pipelines.

Each object's associations come with it, in tables of their own.

Belongs here: HubSpot's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.hubspot.tables import TABLES

SETTINGS = SystemSettings(
    display_name="HubSpot",
    address="HUBSPOT_BASE_URL",
    names=("HUBSPOT_BASE_URL", "HUBSPOT_ACCESS_TOKEN"),
    required=("HUBSPOT_ACCESS_TOKEN",),
)

__all__ = ["SETTINGS", "TABLES"]
