"""Handles: the short names by which a model knows facts and stories, so that it never sees an id or a name.

Belongs here: from handles to slots and back. Does not belong here: what a slot shows (`slots`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sophia_assets.insight.slots import FACT_ASPECTS, SLOT, STORY_ASPECTS
from sophia_assets.insight.stories import Story
from sophia_assets.metrics.facts import Fact

#: What a sentence tells whose story is none of those that the model was given; no story has this id.
UNKNOWN_STORY = "unknown"
_UNKNOWN_SLOT = "{{?}}"
_HANDLE_SLOT = re.compile(r"\{\{\s*(?P<handle>[fs][1-9][0-9]*)\s*(?:\|\s*(?P<aspect>[a-z_]+)\s*)?\}\}")
# A model that writes an id has guessed it, since it is shown none.
_GUESSED = re.compile(r"\{\{(?=\s*(?:fact|story)\s*:)")


class Handles:
    """`f1`, `f2` ... for facts and `s1`, `s2` ... for stories, in the order in which they are given."""

    def __init__(self, facts: Iterable[Fact], stories: Iterable[Story]) -> None:
        self._facts = {f"f{place}": fact.id for place, fact in enumerate(facts, 1)}
        self._stories = {f"s{place}": story.id for place, story in enumerate(stories, 1)}
        self._of_facts = {fact_id: handle for handle, fact_id in self._facts.items()}
        self._of_stories = {story_id: handle for handle, story_id in self._stories.items()}

    def of_fact(self, fact_id: str) -> str:
        """The handle of a fact, empty where it has none."""
        return self._of_facts.get(fact_id, "")

    def of_story(self, story_id: str | None) -> str:
        """The handle of a story, empty for None, `?` for a story that has none."""
        return "" if story_id is None else self._of_stories.get(story_id, "?")

    def story_id(self, handle: str) -> str | None:
        """The story behind a handle; None where it is empty, `UNKNOWN_STORY` where no story has it."""
        handle = handle.strip()
        return self._stories.get(handle, UNKNOWN_STORY) if handle else None

    def to_slots(self, text: str) -> str:
        """`text` with handles turned into slots; unknown handles and aspects stay, as malformed slots."""

        def slot(match: re.Match[str]) -> str:
            handle, aspect = match["handle"], match["aspect"]
            kind, known, aspects = (
                ("fact", self._facts, FACT_ASPECTS) if handle[0] == "f" else ("story", self._stories, STORY_ASPECTS)
            )
            if handle not in known or (aspect is not None and aspect not in aspects):
                return match.group()
            return f"{{{{{kind}:{known[handle]}{'|' + aspect if aspect else ''}}}}}"

        return _HANDLE_SLOT.sub(slot, _GUESSED.sub("{{unknown ", text))

    def to_handles(self, text: str) -> str:
        """`text` with slots turned into handles again; a slot of what has no handle becomes `{{?}}`."""

        def handle(match: re.Match[str]) -> str:
            known = self._of_facts if match["kind"] == "fact" else self._of_stories
            if match["id"] not in known:
                return _UNKNOWN_SLOT
            return f"{{{{{known[match['id']]}{'|' + match['aspect'] if match['aspect'] else ''}}}}}"

        return SLOT.sub(handle, text)
