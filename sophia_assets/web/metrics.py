"""`/metrics` of this process: its requests for Prometheus. The platform's own figures come from `sophia exporter`.

Belongs here: who may scrape, and the figures' form. Does not belong here: counting (`counting`).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.access.policies import may_see_platform
from sophia_assets.telemetry.exporter.samples import Distribution, Sample
from sophia_assets.telemetry.recording import bound_text
from sophia_assets.telemetry.series import HTTP_REQUESTS, HTTP_SECONDS, HTTP_WAITING
from sophia_assets.web.authentication import current_principal
from sophia_assets.web.counting import Counts
from sophia_assets.web.failures import NotLoggedIn, Refused
from sophia_assets.web.state import WebState, state_of

router = APIRouter()
PATH = "/metrics"
# What only somebody in between adds: then the peer is not who asks.
_SIGNS_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


@router.get(PATH, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """The figures, as text or in the OpenMetrics format by what is accepted.

    For whoever comes from this machine itself, or shows the token of a user that may see the platform.
    """
    state = state_of(request)
    if "authorization" in request.headers or not _comes_directly(request, state):
        if "authorization" not in request.headers:
            raise NotLoggedIn("the figures are for this machine, or for the token of a user that sees the platform")
        principal = await current_principal(request)
        if not may_see_platform(principal):
            raise Refused(403, "denied", f"{principal.name} does not see the platform", "Use another role's token")
    # Importing it takes a while, and most processes are never asked.
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    from sophia_assets.telemetry.exporter.families import Families

    registry = CollectorRegistry()
    # The loop's thread alone adds to the counts, and is here now.
    registry.register(Families(lambda: samples(state)))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=content_type)


def samples(state: WebState) -> Iterator[Sample]:
    """What was served since the process began, and what waits now."""
    yield HTTP_WAITING.set(float(state.answers.waiting + state.reads.waiting))
    yield from _of_routes(state.counts)


def _of_routes(counts: Counts) -> Iterator[Sample]:
    bounds = [bound_text(bound) for bound in HTTP_SECONDS.buckets]
    for route in counts.routes():
        for status, number in route.statuses.items():
            yield HTTP_REQUESTS.add(number, route=route.route, status=status)
        buckets = dict(zip(bounds, map(float, route.buckets), strict=True))
        yield Distribution(HTTP_SECONDS, (route.route,), buckets, route.seconds)


def _comes_directly(request: Request, state: WebState) -> bool:
    """Whether the peer is a process of this machine that asks for itself."""
    if state.is_behind_proxy or request.client is None:
        return False
    if any(name in request.headers for name in _SIGNS_OF_A_PROXY):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
