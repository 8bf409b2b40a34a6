"""Asks Pinecone about the index and what the API key may do with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sophia_assets.sources.permissions import Remark, Told, tried
from sophia_assets.sources.pinecone.api import PineconeApi


def permissions(api: PineconeApi) -> Iterator[Told]:
    """Up to five requests. Raises a SourceError where Pinecone does not answer, or does not know the key."""
    stats: dict[str, Any] = {}
    found = tried("DataPlaneViewer", ("pinecone.index_stats",), lambda: stats.update(api.stats()))
    yield found
    if found.error is not None:
        return
    names: list[Mapping[str, Any]] = []
    yield tried("DataPlaneViewer", ("pinecone.namespaces",), lambda: names.extend(api.namespaces()))
    if names:
        first = str(names[0].get("name") or "")
        yield tried("DataPlaneViewer", ("pinecone.documents",), lambda: api.listed(first, None))
    name, described = api.index()
    if not described:
        yield Remark(
            "ControlPlaneViewer",
            f"the API key may not ask about the index {name}: whether it embeds texts is not known",
            "Give the key behind PINECONE_API_KEY the role ControlPlaneViewer, too",
        )
    count = int(stats.get("totalVectorCount") or 0)
    told = f"the index {name} holds {count:,} vectors in {len(names)} namespaces"
    yield Remark("index", told, "" if count else "Check PINECONE_INDEX_HOST: an empty index may be the wrong one")
