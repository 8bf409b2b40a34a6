"""Answers questions that have been read already, on a finished home: for tests of what is said, not of reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sophia_assets.access import policies
from sophia_assets.access.principal import EVERY_ROW, Principal, RowScope
from sophia_assets.assistant.answers.answering import answer
from sophia_assets.assistant.answers.briefing_answers import NewestBriefing, NewestBriefings
from sophia_assets.assistant.answers.composing import Asked
from sophia_assets.assistant.answers.fact_source import FactSource
from sophia_assets.assistant.answers.phrasing import Phrasing
from sophia_assets.assistant.answers.standing import Lookout, Standing
from sophia_assets.assistant.interface import Answer, Question, Reading
from sophia_assets.assistant.searching.quote_search import QuoteSearches
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.filters import Filter
from sophia_assets.services import Services
from sophia_assets.warehouse.models import load_models
from sophia_assets.warehouse.reading import Reading as DataReading
from sophia_assets_tests.finished_home import services_of


def somebody(role: str = "executive", rows: RowScope = EVERY_ROW) -> Principal:
    """Somebody of a role."""
    return Principal("ada", role, "api", rows)


@dataclass
class Desk:
    """A home at which readings are answered."""

    services: Services
    data: DataReading
    quotes: QuoteSearches
    lookout: Lookout
    briefings: NewestBriefings

    def asked(
        self,
        reading: Reading,
        principal: Principal | None = None,
        *,
        use_briefing: bool = True,
        standing: Standing | None = None,
    ) -> Asked:
        """The question as it is handed to answers."""
        principal = principal or somebody()
        standing = standing or self.lookout.look(self.data)
        briefing = self.briefing(principal) if use_briefing else None
        facts = FactSource(principal, self.data, load_catalog(), load_models(), briefing, standing.shares)
        question = Question("a question", principal)
        return Asked(question, reading, self.data, facts, standing, briefing, lambda: self.quotes.of(self.data))

    def answer(
        self,
        reading: Reading,
        principal: Principal | None = None,
        *,
        use_briefing: bool = True,
        phrasing: Phrasing | None = None,
        standing: Standing | None = None,
    ) -> Answer:
        """The answer to a reading."""
        with self.data.session():
            asked = self.asked(reading, principal, use_briefing=use_briefing, standing=standing)
            return answer(asked, phrasing)

    def briefing(self, principal: Principal) -> NewestBriefing | None:
        """The newest briefing that somebody may read."""
        catalog, models = load_catalog(), load_models()
        return self.briefings.for_reader(
            principal,
            lambda role: policies.may_read_edition(principal, role),
            lambda name: policies.deny_metric(principal, catalog.metrics[name], models) is None,
        )

    def rows(self, sql: str) -> list[dict[str, object]]:
        """The rows of a SELECT."""
        found: list[dict[str, object]] = self.data.query(sql).to_pylist()
        return found

    def customer(self, place: int = 0) -> Filter:
        """The customer at that place by recurring revenue, as a filter."""
        row = self.rows(
            "SELECT account_id, account FROM marts.accounts WHERE status = 'customer' ORDER BY mrr DESC, account_id "
            f"LIMIT 1 OFFSET {place}"
        )[0]
        return Filter("account", (str(row["account_id"]),), (str(row["account"]),))


@contextmanager
def desk_at(home: Home, settings: dict[str, str] | None = None) -> Iterator[Desk]:
    """A desk at a home."""
    services = services_of(home, settings)
    try:
        archive = NewestBriefings(services.publisher.archive)
        yield Desk(services, services.readings.current("executive"), QuoteSearches(), Lookout(services), archive)
    finally:
        services.close()
