"""HubSpot: companies, contacts, deals with their history, owners, pipelines, associations.

Belongs here: HubSpot's API and its tables. Does not belong here: anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.hubspot.api import HubSpotConnection
from sophia_assets.sources.hubspot.client import HubSpotSource, create_source
from sophia_assets.sources.hubspot.tables import TABLES

CONNECTION = HubSpotConnection

SETTINGS = SystemSettings(
    display_name="HubSpot",
    address="HUBSPOT_BASE_URL",
    names=("HUBSPOT_BASE_URL", "HUBSPOT_ACCESS_TOKEN"),
    required=("HUBSPOT_ACCESS_TOKEN",),
)

__all__ = ["CONNECTION", "SETTINGS", "TABLES", "HubSpotConnection", "HubSpotSource", "create_source"]
