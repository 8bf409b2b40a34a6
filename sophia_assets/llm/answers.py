"""Answers to identical requests, which are given again instead of being asked and paid for again.

They lie in the control store, for all processes. An answer holds what a briefing will hold, figures aside, and is as
confidential: the vault seals it, and where encryption is off, whoever may read the store may read it. The prompt is not
kept, only its hash.

Nothing here raises: where the store fails, there is no answer, and the model is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from sophia_assets.control.schema import llm_answers, llm_days
from sophia_assets.control.store import ControlStore, insert_new
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import EncryptionError, SophiaError
from sophia_assets.llm.budget import business_day
from sophia_assets.llm.interface import Completion, Prompt, Tokens
from sophia_assets.llm.prices import is_sandbox_model, nanos
from sophia_assets.llm.structured import NotWhatWasAsked, check, parsed
from sophia_assets.llm.usage import begin_day
from sophia_assets.settings.llm import LlmSettings
from sophia_assets.telemetry.logs import get_logger

# Part of every key: raise it when the meaning of what is stored changes.
FORMAT = 1
MOST_ANSWERS = 1_000
MOST_CHARACTERS = 200_000

_log = get_logger(__name__)


class AnswerCache:
    """The answers of one control store. It implements `calling.Answers`, and is safe for threads and processes.

    `is_enabled` is asked each time (the flag `enable_caching`); while it says no, nothing is found and nothing kept.
    `on_request` is told whether an answer was there.
    """

    def __init__(
        self,
        store: ControlStore,
        settings: LlmSettings,
        *,
        is_enabled: Callable[[], bool] = lambda: True,
        timezone: tzinfo = UTC,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        vault: Vault = PLAIN,
        on_request: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._on_request = on_request
        self._vault = vault
        self._settings = settings
        self._is_enabled = is_enabled
        self._timezone = timezone
        self._clock = clock

    def get(self, prompt: Prompt, chain: tuple[str, ...]) -> Completion | None:
        """The answer to exactly this prompt from one of the chain (`provider:model`), or None.

        One that is torn, was changed by hand, or does not meet the prompt's schema is none.
        """
        if not self._is_on():
            return None
        found = self._found(prompt, chain)
        self._on_request(found is not None)
        return found

    def _found(self, prompt: Prompt, chain: tuple[str, ...]) -> Completion | None:
        key, now = self.key(prompt, chain), self._clock()
        wanted = select(llm_answers).where(llm_answers.c.key == key, llm_answers.c.expires_at > now)
        try:
            with self._store.reading() as connection:
                row = connection.execute(wanted).one_or_none()
        except SophiaError as error:
            _log.warning("no answer can be taken from the cache", problem=error)
            return None
        if row is None or row.seal != seal_of(key, row.content):
            return None
        try:
            found = _answer(self._vault.open_text(row.content, context_of(key)), prompt)
        except (EncryptionError, NotWhatWasAsked, ValueError, TypeError, LookupError, RecursionError):
            return None
        self._count(found, now)
        return found.completion

    def put(self, prompt: Prompt, chain: tuple[str, ...], completion: Completion) -> None:
        """Keeps an answer that meets the prompt's schema, for as long as the setting says, and throws old ones away."""
        if completion.from_cache or not self._is_on():
            return
        content = self._content(prompt, completion)
        if content is None or len(content) > MOST_CHARACTERS:
            return
        key, now = self.key(prompt, chain), self._clock()
        content = self._vault.seal_text(content, context_of(key))
        row = {
            "key": key,
            "content": content,
            "seal": seal_of(key, content),
            "created_at": now,
            "expires_at": now + timedelta(seconds=self._settings.cache_seconds),
        }
        try:
            self._store.run(lambda connection: _keep(connection, row, now))
        except SophiaError as error:
            _log.warning("an answer could not be kept", problem=error)

    def key(self, prompt: Prompt, chain: tuple[str, ...]) -> str:
        """What stands for the request: every field of the prompt, and who is asked, where."""
        providers = sorted({name.partition(":")[0] for name in chain})
        where = [[name, name in self._settings.simulated, self._settings.addresses.get(name, "")] for name in providers]
        asked = {each.name: getattr(prompt, each.name) for each in fields(prompt)}
        text = json.dumps([FORMAT, asked, list(chain), where], separators=(",", ":"), default=dict)
        return sha256(text.encode()).hexdigest()

    def _is_on(self) -> bool:
        return self._settings.cache_seconds > 0 and self._is_enabled()

    def _content(self, prompt: Prompt, completion: Completion) -> str | None:
        try:
            check(completion.content, prompt.schema)
            return json.dumps(
                {
                    "provider": completion.provider,
                    "model": completion.model,
                    "is_simulated": self._is_simulated(completion),
                    "cost_nano_usd": nanos(completion.cost_usd),
                    "content": completion.content,
                },
                default=dict,
                allow_nan=False,
            )
        except (NotWhatWasAsked, ValueError, TypeError, RecursionError) as error:
            _log.warning("an answer is not kept", provider=completion.provider, problem=error)
            return None

    def _is_simulated(self, completion: Completion) -> bool:
        return completion.provider in self._settings.simulated or is_sandbox_model(completion.model)

    def _count(self, found: _Answer, now: datetime) -> None:
        day, days = business_day(now, self._timezone), llm_days.c

        def work(connection: Connection) -> None:
            values = {"cache_hits": days.cache_hits + 1, "saved_nano_usd": days.saved_nano_usd + found.saved}
            mine = (days.day == day) & (days.is_simulated == found.is_simulated)
            if connection.execute(llm_days.update().where(mine).values(values)).rowcount == 0:
                begin_day(connection, day, found.is_simulated, cache_hits=1, saved_nano_usd=found.saved)

        try:
            self._store.run(work)
        except SophiaError as error:
            _log.warning("an answer from the cache could not be counted", problem=error)


def context_of(key: str) -> str:
    """What the answer of a key is sealed for."""
    return f"control/llm_answers.{key}"


class _Answer:
    """What is kept of an answer."""

    def __init__(self, completion: Completion, is_simulated: bool, saved: int) -> None:
        self.completion = completion
        self.is_simulated = is_simulated
        self.saved = saved


def _answer(text: str, prompt: Prompt) -> _Answer:
    found: dict[str, Any] = json.loads(text)
    content = parsed(json.dumps(found["content"]), prompt.schema)
    completion = Completion(
        provider=str(found["provider"]),
        model=str(found["model"]),
        content=content,
        tokens=Tokens(),
        cost_usd=Decimal(0),
        calls=0,
        from_cache=True,
    )
    return _Answer(completion, bool(found["is_simulated"]), max(0, int(found["cost_nano_usd"])))


def _keep(connection: Connection, row: dict[str, Any], now: datetime) -> None:
    """Writes the row in place of an older one, without those that have expired and those that are too many."""
    answers = llm_answers.c
    connection.execute(llm_answers.delete().where((answers.key == row["key"]) | (answers.expires_at <= now)))
    insert_new(connection, llm_answers, row)
    too_many = select(answers.key).order_by(answers.created_at.desc(), answers.key).offset(MOST_ANSWERS)
    keys = connection.execute(too_many).scalars().all()
    if keys:
        connection.execute(llm_answers.delete().where(answers.key.in_(keys)))


def seal_of(key: str, content: str) -> str:
    """Ties a content to its key, so that a row that is torn, or was copied from another, shows."""
    return sha256(f"{FORMAT}\0{key}\0{content}".encode("utf-8", "replace")).hexdigest()
