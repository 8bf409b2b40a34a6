"""What writing briefings adds to the platform's figures of itself.

Belongs here: from a finished briefing to points. Does not belong here: the series (`telemetry.series`), or what is
verified and reviewed (`verification`, `reviewing`).
"""

from __future__ import annotations

from collections import Counter

from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.telemetry.series import BRIEFINGS, LLM_SECONDS, PRINCIPLES, SENTENCES, Point


def points_of(briefing: Briefing, seconds: float) -> list[Point]:
    """An edition that was written and checked in so many seconds: its sentences, reviews, and who wrote it."""
    request, found = briefing.request, briefing.verification
    writer = briefing.writer
    # Where most of a model's draft is refused, the offline writer's is what is kept.
    drafted_by = str(briefing.usage.get("provider") or writer)
    reviews = Counter(
        (review.principle.name.lower(), review.action if review.finding else "passed") for review in briefing.reviews
    )
    revised = sum(review.action == "revised" for review in briefing.reviews)
    points = [
        BRIEFINGS.add(kind=request.kind.key, role=request.role, writer=writer),
        SENTENCES.add(found.sentences, writer=writer, outcome="kept"),
        SENTENCES.add(len(found.rejected), writer=drafted_by, outcome="refused"),
        SENTENCES.add(found.shortened, writer=writer, outcome="shortened"),
        SENTENCES.add(revised, writer=drafted_by, outcome="revised"),
        *(PRINCIPLES.add(number, principle=name, outcome=outcome) for (name, outcome), number in reviews.items()),
    ]
    if writer == OfflineWriter.name:
        points.append(LLM_SECONDS.observe(seconds, provider=writer, model=writer))
    return points
