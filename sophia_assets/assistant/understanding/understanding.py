"""A question and the ground it is read on -> what it asks for, or why it is not answered. No model is asked.

Belongs here: the way from a text to a reading, and the questions before it that complete a short one. Does not belong
here: the steps themselves (`spotting`, `finishing`), who may see what is read (`access`), answering.

Every word has to be accounted for: a word that nothing in the data is called keeps the question from being answered.
"""

from __future__ import annotations

from functools import lru_cache

from sophia_assets.access.principal import RowScope
from sophia_assets.assistant.interface import MOST_TURNS, NotRead, Question, Reading
from sophia_assets.assistant.understanding import asking_back
from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import Draft, completed, searching
from sophia_assets.assistant.understanding.finishing import finished
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.refusals import refused_form, refused_language, refused_text
from sophia_assets.assistant.understanding.spotting import spotted
from sophia_assets.assistant.understanding.words import Line, cleaned, tokens_of

_KEPT_DRAFTS = 4096
_MOST_READ = 20_000


def understand(question: Question, ground: Ground) -> Reading | NotRead:
    """What a question asks for, in the light of those before it; or why it cannot be answered."""
    rows = question.principal.rows
    earlier: Draft | None = None
    for text in question.earlier[-MOST_TURNS:]:
        draft, read = _read(text, earlier, ground, rows)
        earlier = draft if isinstance(read, Reading) else None
    return _read(question.text, earlier, ground, rows)[1]


def _read(text: str, earlier: Draft | None, ground: Ground, rows: RowScope) -> tuple[Draft | None, Reading | NotRead]:
    """The draft of a question, completed by the one before it where it is short, and its reading."""
    drafted = _drafted(text[:_MOST_READ], ground)
    if isinstance(drafted, NotRead):
        return None, drafted
    if earlier is not None and Cue.QUOTES in earlier.cues:
        drafted = searching(drafted)
    if drafted.is_follow_up and earlier is not None:
        drafted = completed(earlier, drafted)
    elif drafted.is_follow_up and not drafted.stands_alone and not drafted.names and not drafted.nouns:
        return None, asking_back.nothing_before()
    return drafted, finished(drafted, ground, rows)


def _drafted(text: str, ground: Ground) -> Draft | NotRead:
    """What was spotted in a text, kept for each version of the ground."""
    return _drafts(ground, text)


@lru_cache(maxsize=_KEPT_DRAFTS)
def _drafts(ground: Ground, text: str) -> Draft | NotRead:
    refused = refused_text(text)
    if refused:
        return refused
    plain = cleaned(text)
    tokens, corrections = ground.spelling.corrected(tokens_of(plain))
    refused = refused_form(Line(tokens).text) or refused_language(tokens)
    if refused:
        return refused
    return spotted(plain, tokens, corrections, ground)
