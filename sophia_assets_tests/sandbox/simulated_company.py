"""The simulated company that the tests of its single systems look at, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import (
    CompanyData,
    GongData,
    HubSpotData,
    LinearData,
    PineconeData,
    PlantedStory,
    RedisData,
    SlackData,
)

START, LAST = date(2024, 7, 1), date(2025, 12, 31)
ZONE = "America/New_York"
# Two of them are the days on which the clocks change.
EARLIER_DAYS = (START, date(2024, 11, 3), date(2025, 3, 9), date(2025, 12, 30))


@dataclass(frozen=True)
class Simulated:
    """The company's systems, each of which it uses."""

    company: CompanyData
    hubspot: HubSpotData
    gong: GongData
    slack: SlackData
    linear: LinearData
    pinecone: PineconeData
    redis: RedisData

    def stories(self, kind: str) -> list[PlantedStory]:
        return [story for story in self.company.stories if story.kind == kind]

    @property
    def accounts(self) -> dict[str, str]:
        """Names by HubSpot company id."""
        return {record.id: str(record.properties["name"]) for record in self.hubspot.objects["companies"]}


@cache
def simulated(seed: int = 42, as_of: date = LAST, scale: float = 1.0, timezone: str = ZONE) -> Simulated:
    found = simulate_company(seed, START, as_of, scale=scale, timezone=timezone)
    assert found.hubspot and found.gong and found.slack and found.linear and found.pinecone and found.redis
    return Simulated(found, found.hubspot, found.gong, found.slack, found.linear, found.pinecone, found.redis)


def cutoff(day: date) -> datetime:
    """The midnight that ends `day`."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(ZONE)).astimezone(UTC)
