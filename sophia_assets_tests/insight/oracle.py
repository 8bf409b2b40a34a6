"""Knows what is true of a request without asking verification: every true sentence, written out, with its story.

What a briefing publishes has to be among them, letter by letter. A corruption is told from the truth by its words.
"""

from __future__ import annotations

from collections.abc import Iterable

from sophia_assets.insight.names import safe_name
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets_tests.insight.prose import Prose, true_prose


class Truth:
    """The true sentences of one request: what the offline writer can say and what the corpus holds."""

    def __init__(self, request: BriefingRequest, sentences: Iterable[tuple[str, DraftSentence]]) -> None:
        self.request = request
        offline = [Prose("", draft, text, _fact_ids(draft)) for text, draft in sentences]
        self.sentences = list(
            {(made.text, made.draft.story_id): made for made in [*offline, *true_prose(request)]}.values()
        )
        self._stories = {story.id: story for story in request.stories}
        self._facts: dict[str, set[str]] = {}
        for made in self.sentences:
            self._facts.setdefault(made.text, set()).update(made.fact_ids)
        self._told = {(made.text, made.draft.story_id) for made in self.sentences}

    def holds(self, text: str, story_id: str | None) -> bool:
        """Whether a published sentence is true, and of the story under which it stands."""
        if text not in self._facts:
            return False
        if story_id is None or (text, story_id) in self._told:
            return True
        story = self._stories.get(story_id)
        return story is not None and (
            bool(self._facts[text] & set(story.fact_ids)) or safe_name(story.subject_name) in text
        )


def _fact_ids(draft: DraftSentence) -> tuple[str, ...]:
    return tuple(part.split("}}")[0].split("|")[0] for part in draft.text.split("{{fact:")[1:])
