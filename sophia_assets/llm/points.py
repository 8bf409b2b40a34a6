"""What calls to language models add to the platform's figures of itself.

Belongs here: from a call's row in the ledger to points. Does not belong here: the ledger (`usage`), or the series.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sophia_assets.llm.one_call import NOT_ASKED
from sophia_assets.llm.prices import dollars
from sophia_assets.telemetry.series import LLM_CALLS, LLM_COST, LLM_SECONDS, LLM_TOKENS, Point


def points_of(row: Mapping[str, Any], *, was_abandoned: bool = False, model: str = "") -> list[Point]:
    """What the end of a call adds to the figures. One that was given up as lost before counts only for what is new.

    `model` is the one that was asked, where the row has the one that has answered: a vendor calls that what it likes.
    """
    provider, model, outcome = row["provider"], model or row["model"], row["outcome"]
    used = {"input": row["input_tokens"], "output": row["output_tokens"], "cached": row["cached_tokens"]}
    cost = row["cost_nano_usd"]
    points = []
    if was_abandoned:
        used["input"] = max(0, used["input"] - row["input_estimate"])
        cost = max(0, cost - row["estimate_nano_usd"])
    else:
        points.append(LLM_CALLS.add(provider=provider, outcome=outcome))
    if row["seconds"] is not None and outcome != NOT_ASKED:
        points.append(LLM_SECONDS.observe(row["seconds"], provider=provider, model=model))
    points.append(LLM_COST.add(float(dollars(cost)), provider=provider, model=model))
    for direction, number in used.items():
        points.append(LLM_TOKENS.add(number, provider=provider, model=model, direction=direction))
    return points
