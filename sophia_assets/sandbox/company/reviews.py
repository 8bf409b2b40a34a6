"""Reviews of recorded calls: which calls were scored, by whom, and how well the seller did.

Made from the finished calls alone, without any random stream, so that nothing else depends on them.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from sophia_assets.sandbox.company_data import GongCall, GongQuestion, GongReview, GongScorecard, GongUser

_SALES, _CUSTOMERS = "521000000000000001", "521000000000000002"
_QUESTIONS = {
    _SALES: ("Did the seller find out what the customer needs?", "Were the next steps agreed?"),
    _CUSTOMERS: ("Did the host know how the customer uses the product?", "Was every question answered?"),
}
_OVERALL, _REMARK = "How good was the call overall?", "What should be done differently next time?"
_REMARKS = ("Ask about the budget earlier.", "Let the customer talk more.", "Send a summary on the same day.")
_EVERY, _BEST = 7, 5


def scorecards(created: datetime) -> list[GongScorecard]:
    """The two forms that the company reviews calls by."""
    return [
        GongScorecard(identifier, name, created, created, tuple(_questions(identifier)), method=method)
        for identifier, name, method in (
            (_SALES, "Sales call", "MANUAL"),
            (_CUSTOMERS, "Customer call", "AUTOMATIC"),
        )
    ]


def reviews(calls: list[GongCall], users: list[GongUser], until: datetime) -> list[GongReview]:
    """Every seventh call or so, reviewed within three days by the host's manager, or by Gong itself."""
    managers = {user.id: user.manager_id for user in users}
    found = []
    for call in calls:
        draw = zlib.crc32(f"review {call.id}".encode())
        reviewed = call.started + timedelta(seconds=call.duration_s + 3_600 + draw % 200_000)
        if draw % _EVERY or reviewed >= until:
            continue
        card = _SALES if call.deal_id else _CUSTOMERS
        reviewer = managers.get(call.primary_user_id) if card == _SALES else None
        if card == _SALES and reviewer is None:
            continue
        identifier = str(int(call.id) // 2)
        found.append(GongReview(identifier, card, call.id, reviewed, reviewer, _answers(card, draw)))
    return found


def _questions(card: str) -> list[GongQuestion]:
    texts = [*_QUESTIONS[card], _OVERALL]
    ranged = [GongQuestion(f"{card}{place}", text, text == _OVERALL) for place, text in enumerate(texts, start=1)]
    return [*ranged, GongQuestion(f"{card}9", _REMARK, kind="OPEN")]


def _answers(card: str, draw: int) -> dict[str, int | str]:
    first, second = 2 + draw // 7 % (_BEST - 1), 2 + draw // 31 % (_BEST - 1)
    scores: dict[str, int | str] = {f"{card}1": first, f"{card}2": second, f"{card}3": (first + second) // 2}
    if draw // 101 % 3 == 0:
        scores[f"{card}9"] = _REMARKS[draw // 307 % len(_REMARKS)]
    return scores
