"""Snowflake as a source: the company's own tables of deals, subscriptions, invoices and satisfaction.

Belongs here: reading those tables. Does not belong here: Snowflake as the platform's warehouse.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.snowflake.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Snowflake",
    address="SNOWFLAKE_HOST",
    names=tuple(
        f"SNOWFLAKE_{name}"
        for name in (
            "ACCOUNT",
            "USER",
            "PASSWORD",
            "PRIVATE_KEY_PATH",
            "PRIVATE_KEY_PASSPHRASE",
            "DATABASE",
            "WAREHOUSE",
            "ROLE",
            "HOST",
            "PORT",
            "PROTOCOL",
        )
    ),
    required=("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_DATABASE", "SNOWFLAKE_WAREHOUSE"),
    cache_seconds=900,
)

__all__ = ["SETTINGS", "TABLES"]
