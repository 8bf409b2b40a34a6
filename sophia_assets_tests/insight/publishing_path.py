"""The way of a draft to the reader, as the campaign of corruptions takes it: only this module knows how to publish."""

from __future__ import annotations

from sophia_assets.insight.briefing import Sentence, _Press, build_briefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.review_rules import Rules
from sophia_assets.insight.slots import fill
from sophia_assets.insight.verification import Finding, Verifier
from sophia_assets.insight.writing import BriefingRequest, Draft, DraftSentence


class _Given:
    """A writer that returns what it was given."""

    name = "given"

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def draft(self, request: BriefingRequest) -> Draft:
        return self._draft


class Path:
    """Publishes drafts of one request."""

    def __init__(self, request: BriefingRequest) -> None:
        self.request = request
        self._rules = Rules(request, OfflineWriter().draft(request))
        self._press = _Press(self._rules)

    @property
    def verifier(self) -> Verifier:
        """The verifier that the press uses."""
        return self._rules.verifier

    def publish(self, draft: Draft) -> list[Sentence]:
        """What the press makes of a draft: every sentence of the bottom line and the sections that it lets through."""
        published = self._press.publish("bottom_line", draft.bottom_line)
        for section in draft.sections:
            published += self._press.publish(section.key, section.sentences)
        return published

    def briefing(self, draft: Draft) -> list[Sentence]:
        """The sentences of a whole briefing built from a draft, without those that code writes about missing data."""
        return [sentence for sentence in build_briefing(self.request, _Given(draft)).sentences() if sentence.template]

    def findings(self, sentence: DraftSentence) -> list[Finding]:
        """What speaks against a drafted sentence, before and after its slots are filled."""
        filled = fill(sentence.text, self.request.facts, self.request.stories)
        return self.verifier.draft_sentence(sentence) + self.verifier.text(
            filled.text, filled.fact_ids, sentence.story_id
        )
