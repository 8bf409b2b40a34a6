"""Many processes that spend from one budget at once; each tells what was refused and what it has spent."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from typing import Any

from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import BudgetSpent, Tokens
from sophia_assets.llm.usage import UsageLedger
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MODEL = "gpt-5.5"
ESTIMATE = 500


@dataclass(frozen=True)
class Report:
    """`granted` calls of which every other one has ended at its worst cost; `refused` ones; the lines of refusal."""

    granted: int
    refused: int
    lines: frozenset[str]


def _spend(url: str, budget: str, calls: int, barrier: Barrier, told: Any) -> None:
    store = ControlStore(url, wait_seconds=60)
    ledger = UsageLedger(store, llm_settings(SOPHIA_LLM_DAILY_BUDGET_USD=budget), clock=lambda: NOW)
    granted, refused, lines = 0, 0, set()
    barrier.wait(60)
    for number in range(calls):
        try:
            call = ledger.begin(PROMPT, key="b", provider="openai", model=MODEL, input_estimate=ESTIMATE)
        except BudgetSpent as error:
            refused += 1
            lines.add(str(error))
            continue
        granted += 1
        if number % 2:
            call.end("answered", Tokens(ESTIMATE, PROMPT.max_output_tokens), model=MODEL)
    store.close()
    told.put((granted, refused, lines))


def spend(url: str, *, budget: str, processes: int, calls: int) -> Report:
    """Lets so many processes try so many calls each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sophia_assets.llm.usage", "genai_prices.data", "bpe_openai", "sqlalchemy"])
    barrier, told = context.Barrier(processes), context.Queue()
    children = [
        context.Process(target=_spend, args=(url, budget, calls, barrier, told), daemon=True) for _ in range(processes)
    ]
    for child in children:
        child.start()
    found = [told.get(timeout=120) for _ in children]
    for child in children:
        child.join(60)
    return Report(
        sum(granted for granted, _, _ in found),
        sum(refused for _, refused, _ in found),
        frozenset(line for _, _, lines in found for line in lines),
    )
