"""What a healthy run does not do, done on purpose, so that its figures are seen: failures, refusals, questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sophia_assets.access.principal import Principal
from sophia_assets.assistant.interface import Question
from sophia_assets.control.breaker import Failure
from sophia_assets.delivery.courier import Courier
from sophia_assets.errors import CircuitOpen, ConnectionFailed
from sophia_assets.ingestion.points import Fetch
from sophia_assets.llm.interface import BudgetSpent, FailureKind, Tokens
from sophia_assets.llm.usage import UsageLedger
from sophia_assets.orchestration.run_counting import count_ended
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.retention.applying import Held, run
from sophia_assets.retention.rules import NAMES
from sophia_assets.services import Services
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.interface import LoadResult
from sophia_assets_tests.finished_home import LAST_DAY
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings

ADA = Principal("ada", "executive", "api")


def refused(services: Services, system: str = "gong") -> int:
    """Reads a system that is not there until its circuit holds it back; returns how often it was asked in vain."""
    span, failures = services.span(LAST_DAY, LAST_DAY), 0
    while True:
        try:
            services.ingest(system, "calls", span, f"run-{failures}")
        except CircuitOpen:
            return failures
        except ConnectionFailed:
            failures += 1


def nothing_new(services: Services) -> None:
    """A load that brought nothing, of two tables."""
    window = Window(None, datetime(2026, 11, 20, tzinfo=UTC))
    with Fetch("slack", services.recorder.record) as fetch:
        fetch.results = [
            LoadResult(f"slack.{table}", window, 0, 0, 0, 0, 0, None, 1, 0.1, rows)
            for table, rows in (("messages", 7), ("channels", 2))
        ]


def broken_rules(services: Services) -> None:
    """Checks of a table and of a model: some pass, one warns, one fails, one could not be made."""
    found = [
        Outcome("fine", True, "error", "x", "x"),
        Outcome("odd", False, "warn", "x", "x"),
        Outcome("wrong", False, "error", "x", "x"),
        Outcome("lost", False, "error", "x", "x", errored=True),
    ]
    services.quality_failures.record("hubspot.deals", "load", found)
    services.quality_failures.record("marts.deals", "", found[:1])


def calls(services: Services) -> None:
    """Calls to both vendors, and one that the budget does not cover."""
    ledger = UsageLedger(services.control, llm_settings())
    for provider, model, outcome, tokens in (
        ("anthropic", "claude-sonnet-5-5", "answered", Tokens(1_000, 200, 100)),
        ("anthropic", "claude-sonnet-5-5", FailureKind.TIMEOUT, None),
        ("openai", "gpt-5.5", "answered", Tokens(500, 50)),
    ):
        call = ledger.begin(PROMPT, key="k", provider=provider, model=model, input_estimate=900)
        call.end(str(outcome), tokens, model=f"{model}-as-the-vendor-likes")
    penniless = UsageLedger(services.control, llm_settings(SOPHIA_LLM_DAILY_BUDGET_USD="0"))
    with suppress(BudgetSpent):
        penniless.begin(PROMPT, key="k", provider="openai", model="gpt-5.5", input_estimate=900)


def questions(services: Services) -> None:
    """The same question twice, and one that nothing is found for."""
    for text in (
        "What are bookings this quarter?",
        "What are bookings this quarter?",
        "What is the weather in Berlin?",
    ):
        services.assistant.ask(Question(text, ADA))


def deliveries(services: Services) -> None:
    """A briefing whose channels are all off."""
    Courier(services).deliver(LAST_DAY)


def changes(services: Services) -> None:
    """An operator's word, and a failure that opens a circuit at once."""
    services.circuits.failed("slack", Failure("authentication", "the token was refused"))
    services.circuits.reset("slack", "ada", "renewed")


def retention(services: Services) -> None:
    """Retention runs, and finds nothing that is too old."""
    run(services, [_NothingOld(name) for name in NAMES], by="ada", reason="to see it counted")


def runs(services: Services) -> None:
    """A run of Dagster's has ended."""
    import dagster as dg

    @dg.op
    def nothing() -> None:
        """Does nothing."""

    @dg.job
    def noted() -> None:
        """Does nothing."""
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        noted.execute_in_process(instance=instance)
        count_ended(services.control, instance.run_storage)


@dataclass
class _NothingOld:
    name: str

    def held(self, cutoff: datetime | None) -> Held:
        return Held(0, None, 0, 0)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        yield 0


EVERYTHING: tuple[Callable[[Services], object], ...] = (
    nothing_new,
    broken_rules,
    calls,
    questions,
    deliveries,
    changes,
    refused,
    retention,
    runs,
)
