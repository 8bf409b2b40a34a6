"""Pinecone: one index, its namespaces, and the metadata of its vectors.

Belongs here: Pinecone's API and its tables. Does not belong here: making vectors, answering questions with
them, or anything shared between systems.
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.pinecone.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Pinecone",
    address="PINECONE_INDEX_HOST",
    names=("PINECONE_API_KEY", "PINECONE_CONTROL_URL", "PINECONE_INDEX_HOST", "PINECONE_INDEX_NAME"),
    required=("PINECONE_API_KEY",),
    cache_seconds=1800,
)

__all__ = ["SETTINGS", "TABLES"]
