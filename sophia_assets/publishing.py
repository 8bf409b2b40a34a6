"""Publishing: gathers what a day's briefings are made of, has them written and verified, and files them.

Belongs here: which kinds and editions are written, by which writer, and where they go. Does not belong here: how a
briefing is built and checked (`insight`), who may see what (`access`), or Dagster.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from sophia_assets.access.roles import EXECUTIVE, may_see, may_see_area, visible_facts
from sophia_assets.control.published import Register
from sophia_assets.errors import VerificationRefused
from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import Briefing, build_briefing
from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.evidence import seal_digest
from sophia_assets.insight.grounds import owners_of
from sophia_assets.insight.kinds import DAILY, BriefingKind
from sophia_assets.insight.last_time import LastBriefing
from sophia_assets.insight.names import safe_name, with_safe_names
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.points import points_of
from sophia_assets.insight.quotes import Quote, read_quotes
from sophia_assets.insight.rollouts import facts_still_served, with_rollouts
from sophia_assets.insight.writing import BriefingRequest, Writer
from sophia_assets.metrics.facts import FactSet
from sophia_assets.telemetry.series import BRIEFING_SECONDS, SENTENCES

if TYPE_CHECKING:
    from sophia_assets.services import Services


@dataclass(frozen=True)
class Edition:
    """A briefing as it was written for one role, and where it lies."""

    role: str
    briefing: Briefing
    files: BriefingFiles


class Publisher:
    """Writes the briefings of one home."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def archive(self) -> BriefingArchive:
        """The home's briefings."""
        return self._services.archive

    def write(self, day: date, facts: FactSet, kind: BriefingKind = DAILY) -> tuple[Edition, ...]:
        """Builds, verifies and files the editions of a briefing for `day`, the executive's first."""
        began = time.perf_counter()
        whole, writer = self._whole_request(day, facts, kind), self.writer()
        editions = tuple(self._written(self._edition(whole, role), writer) for role in self._services.settings.editions)
        self._services.recorder.record(BRIEFING_SECONDS.observe(time.perf_counter() - began, kind=kind.key))
        return editions

    def request(self, day: date, facts: FactSet, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> BriefingRequest:
        """Everything that one edition of a briefing is made of: nothing in it that `role` may not see."""
        return self._edition(self._whole_request(day, facts, kind), role)

    def writer(self) -> Writer:
        """Who writes, by setting."""
        settings = self._services.settings.llm
        if not settings.chain:
            return OfflineWriter()
        from sophia_assets.insight.llm_writer import LlmWriter

        return LlmWriter(self._services.language_models, settings.deadline_seconds, name=settings.writer)

    def _written(self, request: BriefingRequest, writer: Writer) -> Edition:
        began = time.perf_counter()
        try:
            briefing = build_briefing(request, writer)
        except VerificationRefused:
            self._services.recorder.record(SENTENCES.add(writer=writer.name, outcome="refused"))
            raise
        seconds = time.perf_counter() - began
        edition = self._filed(briefing)
        self._services.recorder.record(*points_of(briefing, seconds))
        return edition

    def _filed(self, briefing: Briefing) -> Edition:
        """Writes the files, and enters their seal in the register, where a rewriting of them shows."""
        request, files = briefing.request, self.archive.write(briefing)
        register = Register(self._services.control)
        register.enter(request.kind.key, request.date, request.role, seal_digest(self.archive.content(files.manifest)))
        return Edition(request.role, briefing, files)

    def _whole_request(self, day: date, facts: FactSet, kind: BriefingKind) -> BriefingRequest:
        """What all editions are cut from, with every fact."""
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
            facts=with_safe_names(facts_still_served(facts, serving.shares)),
            statuses=with_rollouts(statuses, facts, serving.shares, switched_off),
            generated_at=datetime.now(UTC),
            owners={subject: safe_name(owner) for subject, owner in owners.items()},
            kind=kind,
        )

    def _edition(self, whole: BriefingRequest, role: str) -> BriefingRequest:
        """The request of one role: facts first, since stories, charts, gaps and prompts are made of them."""
        request = replace(whole, role=role, facts=visible_facts(role, whole.facts), last=self._last(whole, role))
        return replace(request, quotes=self._quotes(request)) if may_see_area(role, "customer") else request

    def _last(self, request: BriefingRequest, role: str) -> LastBriefing | None:
        """The reader's briefing before this one, as far as the role may see it by today's rules; None where there is
        none, or where it cannot be read."""
        content = self.archive.before(request.date, request.kind, role)
        try:
            return LastBriefing.from_json(content).seen_by(lambda metric: may_see(role, metric)) if content else None
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def _quotes(self, request: BriefingRequest) -> Mapping[str, tuple[Quote, ...]]:
        """What was said at the accounts of the stories, of systems that are served as they were when it was counted."""
        stories = find_stories(request.facts, request.date, request.owners)
        accounts = [story.subject_id for story in stories if story.subject_type == "account"]
        rollouts = {status.system: status.rollout for status in request.statuses}
        with self._services.warehouse.session():
            found = read_quotes(self._services.warehouse, accounts, request.date, request.timezone)
        served = {system for system, rollout in rollouts.items() if not (rollout.is_withheld or rollout.has_changed)}
        kept = {account: tuple(each for each in quotes if each.system in served) for account, quotes in found.items()}
        return {account: quotes for account, quotes in kept.items() if quotes}
