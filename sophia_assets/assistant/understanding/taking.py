"""The words of one question, and what has taken each of them.

Belongs here: the state that spotting works on. Does not belong here: what takes which words (`spotting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import NameUse, Noun
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.metric_words import Mention, MetricWords
from sophia_assets.assistant.understanding.spelling import Correction
from sophia_assets.assistant.understanding.times import Grain, Time
from sophia_assets.assistant.understanding.vocabulary import (
    FUNCTION_WORDS,
    UNIT_WORDS,
)  # fmt: skip
from sophia_assets.assistant.understanding.words import Line, Token


class Taking:
    """The tokens of a question: those that are used, and by what, and those that are free."""

    def __init__(self, text: str, tokens: Sequence[Token], corrections: Sequence[Correction], ground: Ground) -> None:
        self.text, self.tokens, self.ground = text, list(tokens), ground
        self.line = Line(tokens, signs="-")
        self.used: dict[int, str] = {}
        self.cues: set[Cue] = set()
        self.mentions: list[Mention] = []
        self.names: list[NameUse] = []
        self.nouns: list[Noun] = []
        self.times: list[Time] = []
        self.rhythm: Grain | None = None
        self.limit: int | None = None
        self.order: str | None = None
        self.units: set[str] = set()
        self.search: tuple[str, ...] = ()
        self.unknown_dimension: int | None = None
        self.notes = [f"“{each.written}” is read as “{each.read}”." for each in corrections]

    @property
    def free(self) -> set[int]:
        """The tokens that nothing has taken."""
        return {index for index in range(len(self.tokens)) if index not in self.used}

    @property
    def _words(self) -> MetricWords:
        return self.ground.metric_words

    def _take(self, tokens: Iterable[int], by: str) -> None:
        for token in tokens:
            self.used[token] = by

    def _free_words(self) -> list[int]:
        """The words that are left and mean something."""
        return [
            place
            for place in sorted(self.free)
            if self.tokens[place].is_word
            and self.tokens[place].folded not in FUNCTION_WORDS
            and self.tokens[place].stem not in UNIT_WORDS
        ]

    def _has_mention(self) -> bool:
        return bool(self.mentions)
