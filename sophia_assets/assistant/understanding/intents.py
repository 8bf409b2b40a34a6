"""What kind of answer a question wants, from its cues and its parts.

Belongs here: deciding the intent. Does not belong here: the cues (`cues`), what else is read (`finishing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sophia_assets.assistant.interface import Intent
from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import Draft
from sophia_assets.assistant.understanding.vocabulary import WORD_CHOICES


@dataclass
class Intents:
    """The intent of a draft."""

    draft: Draft

    def intent(self) -> Intent:
        """What kind of answer is wanted."""
        draft, cues = self.draft, self.draft.cues
        for cue, intent in (
            (Cue.HELP, Intent.HELP),
            (Cue.FRESHNESS, Intent.FRESHNESS),
            (Cue.QUOTES, Intent.QUOTES),
        ):
            if cue in cues and not draft.mentions:
                return intent
        if Cue.FRESHNESS in cues and not draft.nouns and Cue.WHY not in cues:
            return Intent.FRESHNESS
        if Cue.QUOTES in cues:
            return Intent.QUOTES
        if (Cue.DEFINITION in cues and draft.mentions) or self._is_what_is_a():
            return Intent.DEFINITION
        if Cue.WHY in cues and (draft.mentions or not cues & {Cue.COMPANY, Cue.OVERVIEW}):
            return Intent.EXPLANATION
        if Cue.MAYBE_DEFINITION in cues and draft.mentions:
            return Intent.EXPLANATION if draft.times or Cue.CHANGE in cues else Intent.DEFINITION
        if self._is_overview():
            return Intent.OVERVIEW
        return self._intent_of_figures()

    def _is_what_is_a(self) -> bool:
        """`What is a slipped deal?`"""
        draft = self.draft
        is_bare = not (draft.names or draft.times or draft.grouping or draft.head or draft.order or draft.compared)
        articles = [token.folded for token in draft.tokens[1:3]]
        return bool(draft.mentions) and Cue.WHAT_IS in draft.cues and is_bare and bool({"a", "an"} & set(articles[1:]))

    def _is_overview(self) -> bool:
        draft, cues = self.draft, self.draft.cues
        topics_only = bool(draft.mentions) and all(mention.topic is not None for mention in draft.mentions)
        if Cue.COMPARE in cues or Cue.VERSUS in cues or draft.head or draft.grouping or draft.rhythm:
            return False
        if cues & {Cue.COMPANY, Cue.OVERVIEW}:
            return not draft.mentions or topics_only or self._is_health()
        bare = not (draft.units or draft.order or draft.limit or cues & {Cue.TREND, Cue.CHANGE})
        if topics_only and bare and not (cues & {Cue.HOW_MANY, Cue.HOW_MUCH, Cue.WHAT_IS}):
            return not self._is_asked_back()
        bare = bare and not draft.times
        if bare and self._is_health() and not draft.names and len([t for t in draft.tokens if t.is_word]) == 2:
            return True
        return (
            any(name.is_strong for use in draft.names for name in use.names)
            and not draft.mentions
            and bare
            and not cues & {Cue.HOW_MANY, Cue.MENTIONED, Cue.HOW_LONG, Cue.HOW_MUCH}
        )

    def _is_health(self) -> bool:
        return any(mention.candidates == ("customer_health",) for mention in self.draft.mentions)

    def _is_asked_back(self) -> bool:
        return any(self._said(mention.tokens).lower() in WORD_CHOICES for mention in self.draft.mentions)

    def _intent_of_figures(self) -> Intent:
        draft, cues = self.draft, self.draft.cues
        if Cue.COMPARE in cues or draft.compared or self._compares_names():
            if (draft.grouping or (draft.head and not draft.head.is_single)) and not draft.compared:
                return Intent.BREAKDOWN
            return Intent.COMPARISON
        if Cue.VERSUS in cues and len(draft.mentions) > 1:
            return Intent.COMPARISON
        if draft.rhythm or (Cue.TREND in cues and not draft.grouping):
            return Intent.TREND
        if draft.head or draft.order or (draft.limit is not None):
            return Intent.RANKING
        if draft.grouping:
            return Intent.BREAKDOWN
        if Cue.CHANGE in cues:
            is_how = bool(draft.tokens) and draft.tokens[0].folded in ("how", "is", "are")
            return Intent.TREND if is_how and not draft.times else Intent.COMPARISON
        return Intent.COMPARISON if self._is_versus() else Intent.VALUE

    def _is_versus(self) -> bool:
        words = {token.folded for token in self.draft.tokens}
        return bool(words & {"vs", "versus"}) and len(self.draft.mentions) > 1

    def _compares_names(self) -> bool:
        """Whether several entities of one dimension are held against each other."""
        words = {token.folded for token in self.draft.tokens}
        dimensions = [use.names[0].dimension for use in self.draft.names if not use.is_excluded]
        return (
            len(dimensions) > 1
            and len(set(dimensions)) < len(dimensions)
            and bool(words & {"vs", "versus", "against", "than", "compared"})
        )

    def _said(self, tokens: Sequence[int]) -> str:
        return " ".join(self.draft.tokens[place].text for place in tokens if place < len(self.draft.tokens))
