"""What the figures mean: the definitions of the metrics that a reader may see.

Belongs here: the list and its search. Does not belong here: the definitions (`metrics.catalog`).
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.metrics.catalog import Metric, load_catalog
from sophia_assets.metrics.catalog.entries import AREAS, all_words
from sophia_assets.metrics.descriptions import definition, systems_of
from sophia_assets.metrics.formats import display
from sophia_assets.warehouse.models import load_models
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.state import state_of

router = APIRouter(include_in_schema=False)
_LONGEST_QUERY = 80
_GOOD = {"up": "a rise", "down": "a fall", "neutral": "neither a rise nor a fall"}


@router.get("/metrics-catalog")
async def metrics_catalog(request: Request, principal: CurrentPrincipal, q: str = "") -> Response:
    """The list, or what of it fits `q`."""
    state = state_of(request)
    metrics = await state.reads.run(state.desk.metrics, principal)
    entries = await state.reads.run(_entries, metrics)
    query = q[:_LONGEST_QUERY].strip()
    words = query.lower().split()
    found = [each for each in entries if all(word in each["words"] for word in words)]
    areas = [
        {"key": area, "label": area.replace("_", " ").capitalize(), "metrics": own}
        for area in AREAS
        if (own := [each for each in found if each["area"] == area])
    ]
    return render(request, "metrics_catalog.html", areas=areas, total=len(entries), found=len(found), query=query)


def _entries(metrics: list[Metric]) -> list[dict[str, Any]]:
    return [_entry(metric) for metric in metrics]


def _entry(metric: Metric) -> dict[str, Any]:
    catalog = load_catalog()
    words = list(all_words(metric))
    others = [word for word in words if word not in (metric.label.lower(), metric.name.replace("_", " "))]
    systems = systems_of(catalog, metric, load_models())
    return {
        "name": metric.name,
        "area": metric.area,
        "label": metric.label,
        "description": metric.description,
        "definition": definition(catalog, metric),
        "systems": ", ".join(systems) or "the platform's own record",
        "dimensions": ", ".join(name.replace("_", " ") for name in metric.dimensions),
        "good": _GOOD[metric.good],
        "target": display(metric.target, metric.unit, metric.format) if metric.target is not None else "",
        "synonyms": ", ".join(others),
        "owner": metric.owner.removeprefix("team:").replace("-", " ").capitalize() + " team",
        "words": " ".join([*words, metric.description.lower(), metric.area]),
    }
