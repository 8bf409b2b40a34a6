"""Publishing: gathers what a day's briefings are made of, has them written and verified, and files them.

Belongs here: which kinds and editions are written, by which writer, and where they go. Does not belong here: how a
briefing is built and checked (`insight`), who may see what (`access`), or Dagster.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import Briefing, build_briefing
from sophia_assets.insight.grounds import owners_of
from sophia_assets.insight.kinds import DAILY, BriefingKind
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.rollouts import facts_still_served, with_rollouts
from sophia_assets.insight.writing import BriefingRequest, Writer
from sophia_assets.metrics.facts import FactSet

if TYPE_CHECKING:
    from sophia_assets.services import Services


class Publisher:
    """Writes the briefings of one home."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def write(self, day: date, facts: FactSet, kind: BriefingKind = DAILY) -> tuple[Briefing, BriefingFiles]:
        """Builds, verifies and files the briefing of a day."""
        briefing = build_briefing(self.request(day, facts, kind), self.writer())
        return briefing, BriefingArchive(self._services.home.briefings).write(briefing)

    def request(self, day: date, facts: FactSet, kind: BriefingKind = DAILY) -> BriefingRequest:
        """Everything that a day's briefing is made of."""
        services = self._services
        company = services.home.company()
        with services.warehouse.session():
            serving = services.serving()
            statuses, owners = services.statuses().statuses(day, serving), owners_of(services.warehouse)
        switched_off = {system: services.switched_off_by(system) for system in services.connected}
        return BriefingRequest(
            company_name=(company.name if company else None) or services.settings.company_name,
            date=day,
            timezone=services.settings.timezone,
            facts=facts_still_served(facts, serving.shares),
            statuses=with_rollouts(statuses, facts, serving.shares, switched_off),
            generated_at=datetime.now(UTC),
            owners=owners,
            kind=kind,
        )

    def writer(self) -> Writer:
        """Who writes, by setting."""
        return OfflineWriter()
