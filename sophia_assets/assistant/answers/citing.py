"""What an answer rests on: a citation for each figure, with the parameters that find its rows again.

Belongs here: from facts and quotes to citations. Does not belong here: finding the rows (`metrics.drill_down`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sophia_assets.assistant.interface import Citation
from sophia_assets.errors import SophiaError
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.filters import Filter

if TYPE_CHECKING:
    from sophia_assets.assistant.searching.stored_documents import FoundDocument
    from sophia_assets.insight.quotes import Quote

MOST_CITATIONS = 60
DERIVED = "derived."


def citations(facts: Iterable[Fact], filters: Sequence[Filter]) -> tuple[Citation, ...]:
    """A citation for every figure of these facts, each once; a value that was held against another is two."""
    found: dict[str, Citation] = {}
    for fact in facts:
        found.setdefault(fact.id, _of_value(fact, filters))
        if fact.previous_display is not None and fact.previous_period is not None:
            found.setdefault(f"{fact.id}.previous", _of_previous(fact, filters))
    return tuple(found.values())[:MOST_CITATIONS]


def citation_of_quote(quote: Quote, label: str, sources: tuple[str, ...]) -> Citation:
    """A citation of somebody's words: the pointer to the record that holds them."""
    return Citation(
        id=quote.id,
        label=label,
        display="",
        period=quote.at.date().isoformat(),
        sources=sources,
        as_of=quote.at.isoformat(),
        query_hash="",
        evidence={
            "system": quote.system,
            "object": quote.object,
            "source_id": quote.source_id,
            "start": str(quote.start),
            "end": str(quote.end),
        },
    )


def citation_of_passage(passage: FoundDocument, label: str) -> Citation:
    """A citation of a document's sentence: the pointer to the passage that holds it."""
    changed = passage.updated_at.isoformat() if passage.updated_at else None
    return Citation(
        id=f"pinecone.documents.{passage.namespace}/{passage.document_id}.{passage.start}",
        label=label,
        display="",
        period=changed[:10] if changed else "",
        sources=("pinecone.documents",),
        as_of=changed,
        query_hash="",
        evidence={
            "system": "pinecone",
            "object": "documents",
            "source_id": f"{passage.namespace}/{passage.document_id}",
            "start": str(passage.start),
            "end": str(passage.end),
        },
    )


def _of_value(fact: Fact, filters: Sequence[Filter]) -> Citation:
    about = ", ".join(fact.dimensions.values())
    return Citation(
        id=fact.id,
        label=f"{fact.label}: {about}" if about else fact.label,
        display=fact.display,
        period=fact.period.label,
        sources=fact.sources,
        as_of=fact.as_of.isoformat() if fact.as_of else None,
        query_hash=fact.query_hash,
        evidence=_evidence(fact, fact.period, filters),
    )


def _of_previous(fact: Fact, filters: Sequence[Filter]) -> Citation:
    assert fact.previous_period is not None and fact.previous_display is not None
    own = _of_value(fact, filters)
    return Citation(
        id=f"{fact.id}.previous",
        label=f"{own.label}, before",
        display=fact.previous_display,
        period=fact.previous_period.label,
        sources=own.sources,
        as_of=own.as_of,
        query_hash=own.query_hash,
        evidence=_evidence(fact, fact.previous_period, filters),
    )


def _evidence(fact: Fact, period: Period, filters: Sequence[Filter]) -> dict[str, Any]:
    """The parameters of the rows behind a figure; nothing for one that is computed from others."""
    if fact.id.startswith(DERIVED):
        return {}
    from sophia_assets.metrics.drill_down import Evidence

    narrowed = {each.dimension for each in filters}
    dimension = next((name for name in fact.entity_ids if name not in narrowed), None)
    if dimension is None and len(filters) == 1:
        dimension = next(iter(fact.entity_ids), None)
    try:
        return dict(
            Evidence(
                metric=fact.metric,
                start=period.start,
                end=period.end,
                period_key=period.key,
                dimension=dimension,
                entity_id=fact.entity_ids.get(dimension) if dimension else None,
                filters=tuple(each for each in filters if each.dimension != dimension),
            ).as_parameters()
        )
    except (SophiaError, ValueError):
        return {}
