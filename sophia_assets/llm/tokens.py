"""How many tokens a text or a prompt has, counted here: nothing is asked of a vendor, and nothing is downloaded.

For OpenAI's models the count is exact, by their own vocabularies. Anthropic publishes none: its models' count is
OpenAI's times a factor per model that is learnt from what the calls really used (`Calibration`), rather too many than
too few. Counting takes time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from sophia_assets.control.schema import llm_calibrations
from sophia_assets.control.store import ControlStore, insert_new
from sophia_assets.errors import SophiaError
from sophia_assets.llm.interface import Prompt
from sophia_assets.telemetry.logs import get_logger

if TYPE_CHECKING:
    from bpe_openai import Encoding  # type: ignore[import-untyped]

UNKNOWN_FACTOR = 1.35
"""What is assumed of a model before enough of its calls are known."""
LEAST_FACTOR, MOST_FACTOR = 0.8, 2.0
ANTHROPIC = "anthropic"
SANDBOX_SUFFIX = "-sandbox"

_PER_MESSAGE, _PER_REPLY = 3, 3
# The models before GPT-4o, fine-tuned ones too; all later ones share one vocabulary.
_OLDER = re.compile(r"(ft:)?gpt-(3\.5|35|4)(-|:|$)")
# The vocabulary's library takes at most 200,000 tokens at once; a character beyond ASCII has up to four of them.
_MOST_ASCII, _MOST_OTHER = 200_000, 50_000
_KEPT, _ENOUGH, _MARGIN = 21, 3, 1.005

_log = get_logger(__name__)
_loading = threading.Lock()


def count_text(text: str, model: str) -> int:
    """How many tokens of OpenAI's a text has. Nothing in it is special: `<|endoftext|>` is the text that it is.

    Longer texts than the library takes at once are counted in pieces, which may give a token more per piece. Lone
    surrogates count as what would be sent for them.
    """
    if not text:
        return 0
    encoding = _encoding("cl100k_base" if _OLDER.match(model.lower()) else "o200k_base")
    text = text.encode("utf-8", "replace").decode("utf-8")
    step = _MOST_ASCII if text.isascii() else _MOST_OTHER
    return sum(len(encoding.encode_ordinary(text[start : start + step])) for start in range(0, len(text), step))


def count_prompt(prompt: Prompt, provider: str, model: str, calibration: Calibration | None = None) -> int:
    """How many input tokens a prompt has for a model: its two messages, its schema, and what frames them."""
    counted = _plain_count(prompt, model)
    return math.ceil(counted * _factor(provider, model, calibration))


def count_output(text: str, provider: str, model: str, calibration: Calibration | None = None) -> int:
    """How many output tokens a text has that a model has written."""
    return math.ceil(count_text(text, model) * _factor(provider, model, calibration))


def _factor(provider: str, model: str, calibration: Calibration | None) -> float:
    if provider != ANTHROPIC:
        return 1.0
    return calibration.factor(provider, model) if calibration else UNKNOWN_FACTOR


def _plain_count(prompt: Prompt, model: str) -> int:
    schema = json.dumps(prompt.schema, separators=(",", ":"), ensure_ascii=False, default=dict)
    texts = [text for text in (prompt.system, prompt.user) if text]
    return sum(_PER_MESSAGE + count_text(text, model) for text in texts) + count_text(schema, model) + _PER_REPLY


def _encoding(name: str) -> Encoding:
    """One per vocabulary, even where several threads ask first."""
    with _loading:
        return _loaded(name)


@cache
def _loaded(name: str) -> Encoding:
    from bpe_openai import get_encoding

    return get_encoding(name)


class Calibration:
    """By how much a model's real count exceeds the one here, learnt per model and kept in the control store.

    The factor is the median of the last 21 calls, and a little more; one call that lies moves it by little. Providers
    in `simulated` are the sandbox's, whose models are learnt apart from the real ones of the same name.
    """

    def __init__(self, store: ControlStore, simulated: Collection[str] = ()) -> None:
        self._store = store
        self._simulated = frozenset(simulated)

    def factor(self, provider: str, model: str) -> float:
        """From 0.8 to 2.0; 1.35 before three calls are known, or where the store cannot be read. Never raises."""
        try:
            with self._store.reading() as connection:
                ratios = _ratios(connection, self._key(provider, model))
        except SophiaError as error:
            _log.warning("what a model really counts is not known", model=model, problem=error)
            return UNKNOWN_FACTOR
        if len(ratios) < _ENOUGH:
            return UNKNOWN_FACTOR
        return _within(sorted(ratios)[len(ratios) // 2] * _MARGIN)

    def learn(
        self, connection: Connection, prompt: Prompt, provider: str, model: str, actual: int, at: datetime
    ) -> None:
        """Adds to a transaction what a call really used. Raises Stale where another process was faster."""
        counted = _plain_count(prompt, model) if provider == ANTHROPIC else 0
        if counted <= 0 or actual <= 0:
            return
        key = self._key(provider, model)
        known = _ratios(connection, key, for_update=True)
        # A call that cannot be true counts no more than the most that can.
        ratios = json.dumps([*known, round(_within(actual / counted), 4)][-_KEPT:])
        values = {"ratios": ratios, "learnt_at": at}
        changed = connection.execute(llm_calibrations.update().where(llm_calibrations.c.model == key).values(values))
        if changed.rowcount == 0:
            insert_new(connection, llm_calibrations, values | {"model": key})

    def _key(self, provider: str, model: str) -> str:
        name = model.removesuffix(SANDBOX_SUFFIX)
        is_simulated = provider in self._simulated or name != model
        return f"{provider}/{name}"[:180] + (SANDBOX_SUFFIX if is_simulated else "")


def _ratios(connection: Connection, key: str, *, for_update: bool = False) -> list[float]:
    """What is kept of a model; what is no list of numbers counts as nothing."""
    wanted = select(llm_calibrations.c.ratios).where(llm_calibrations.c.model == key)
    text = connection.execute(wanted.with_for_update() if for_update else wanted).scalar()
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    if not isinstance(found, list):
        return []
    return [_within(float(each)) for each in found if isinstance(each, (int, float)) and math.isfinite(each)]


def _within(factor: float) -> float:
    return min(MOST_FACTOR, max(LEAST_FACTOR, factor))
