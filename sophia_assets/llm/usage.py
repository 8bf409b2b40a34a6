"""The ledger of calls to language models: reserved before anything is sent, settled when the call has ended.

Whether the budget covers a call is checked, and its worst cost reserved, in one transaction that holds the day's row:
however many processes there are, what is reserved never exceeds the budget. A process that is killed leaves its
reservation, which counts until nobody can be waiting for that call any more. No prompt and no answer is kept here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from sophia_assets.control.schema import llm_calls, llm_days
from sophia_assets.control.store import ControlStore, insert_new
from sophia_assets.errors import SophiaError
from sophia_assets.llm.budget import (
    ABANDONED,
    ALERT_PERCENT,
    ENDED,
    OPEN,
    Standing,
    begins_anew,
    business_day,
    is_left_behind,
    no_budget,
    refusal,
    standing,
    unrecorded,
)
from sophia_assets.llm.calling import ANSWERED, NOT_ASKED
from sophia_assets.llm.interface import FailureKind, Prompt, Tokens
from sophia_assets.llm.points import points_of
from sophia_assets.llm.prices import Prices, dollars, is_sandbox_model, nanos, shown
from sophia_assets.llm.tokens import SANDBOX_SUFFIX, Calibration, count_output
from sophia_assets.settings.llm import LlmSettings
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import LLM_REFUSED_BY_BUDGET

DAYS_KEPT = 400
SPENT_PERCENT = 100

_MOST_TOKENS = 2**31 - 1
# Where nobody tells what was used, these were over before the vendor had begun to answer: it bills nothing.
_BEFORE_AN_ANSWER = frozenset(
    {
        NOT_ASKED,
        FailureKind.CONNECTION,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.RATE_LIMITED,
        FailureKind.QUOTA,
        FailureKind.AUTHENTICATION,
        FailureKind.BAD_REQUEST,
        FailureKind.CONTEXT_OVERFLOW,
    }
)
# The vendor said what it had written, once it had; before that, its count is that of the beginning.
_TOLD_TO_THE_END = frozenset({ANSWERED, FailureKind.REFUSAL, FailureKind.TRUNCATED, FailureKind.WRONG_JSON})

_log = get_logger(__name__)


@dataclass(frozen=True)
class Used:
    """What a call used; `is_estimated` says that some of it was counted here, since the vendor did not tell."""

    tokens: Tokens
    is_estimated: bool


class UsageLedger:
    """The ledger of one control store. Safe for threads, and for any number of processes.

    `timezone` is the business's, `clock` gives the moment (aware), `run_id` stands in the rows.
    """

    def __init__(
        self,
        store: ControlStore,
        settings: LlmSettings,
        *,
        timezone: tzinfo = UTC,
        run_id: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.timezone = timezone
        self.prices = Prices(settings.prices)
        self.calibration = Calibration(store, settings.simulated)
        self._settings = settings
        self._run_id = run_id
        self._clock = clock
        self._unwritten: list[Callable[[Connection], None]] = []
        self._lock = threading.Lock()

    def begin(self, prompt: Prompt, *, key: str, provider: str, model: str, input_estimate: int) -> OpenCall:
        """Reserves what the call may cost at most. Raises BudgetSpent where the day's budget does not cover it, or
        where the ledger cannot be written."""
        budget = self._settings.daily_budget_usd
        if budget <= 0:
            self._count_refusal()
            raise no_budget()
        self._write_what_is_left()
        now = self._clock()
        worst = self.prices.worst_cost(provider, model, input_estimate, prompt.max_output_tokens)
        estimate = self.prices.worst_cost(provider, model, input_estimate, 0)
        is_simulated = provider in self._settings.simulated or is_sandbox_model(model)
        row = {
            "id": uuid4().hex,
            "started_at": now,
            "day": business_day(now, self.timezone),
            "purpose": _cell(prompt.purpose, 100),
            "key": _cell(key, 200),
            "provider": _cell(provider, 50),
            "model": _named(_cell(model, 200), is_simulated),
            "prompt_version": _cell(prompt.version, 100),
            "is_simulated": is_simulated,
            "input_estimate": min(max(input_estimate, 0), _MOST_TOKENS),
            "estimate_nano_usd": nanos(estimate),
            "reserved_nano_usd": nanos(worst),
            "run_id": _cell(self._run_id, 200) if self._run_id else None,
        }
        try:
            found, is_first = self.store.run(lambda connection: self._reserve(connection, row, budget))
        except SophiaError as error:
            raise unrecorded(error) from error
        if found is not None:
            refused = refusal(found, worst, self.timezone)
            if is_first:
                _log.warning("%s", refused)
            raise refused
        return OpenCall(self, prompt, row)

    def standing(self, is_simulated: bool = False) -> Standing:
        """How today stands. Raises ControlStoreUnavailable."""
        now = self._clock()
        day = business_day(now, self.timezone)
        with self.store.reading() as connection:
            return standing(connection, day, is_simulated, self._settings.daily_budget_usd, now)

    def _reserve(self, connection: Connection, row: dict[str, Any], budget: Decimal) -> tuple[Standing | None, bool]:
        """Adds the row where the budget covers it. Else how the day stands, and whether that is to be told."""
        now, day, is_simulated = row["started_at"], row["day"], row["is_simulated"]
        _hold(connection, day, is_simulated)
        abandoned = connection.execute(
            llm_calls.update()
            .where(is_left_behind(now), llm_calls.c.is_simulated == is_simulated)
            .values(
                state=ENDED,
                outcome=ABANDONED,
                input_tokens=llm_calls.c.input_estimate,
                is_estimated=True,
                cost_nano_usd=llm_calls.c.estimate_nano_usd,
            )
            .returning(*llm_calls.c)
        ).all()
        points = [point for lost in abandoned for point in points_of(lost._asdict())]
        found = standing(connection, day, is_simulated, budget, now)
        worst = dollars(row["reserved_nano_usd"])
        if found.covers(worst):
            nothing = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_nano_usd": 0}
            connection.execute(llm_calls.insert().values(row | nothing | {"state": OPEN, "is_estimated": False}))
            write(connection, points, now)
            return None, False
        # Where only calls under way are in the way, there may be room again in a moment.
        is_spent = not replace(found, reserved=Decimal(0)).covers(worst)
        is_first = is_spent and _not_told_yet(connection, found, SPENT_PERCENT)
        write(connection, [*points, LLM_REFUSED_BY_BUDGET.add()], now)
        return found, is_first

    def _count_refusal(self) -> None:
        with suppress(SophiaError):
            self.store.run(lambda connection: write(connection, [LLM_REFUSED_BY_BUDGET.add()], self._clock()))

    def _end(self, call: OpenCall, values: dict[str, Any], told_input: int) -> None:
        ended_at = self._clock()

        def work(connection: Connection) -> Standing | None:
            calls, row = llm_calls.c, call.row
            mine = llm_calls.update().where(calls.id == row["id"])
            was_abandoned = False
            if connection.execute(mine.where(calls.state == OPEN).values(values)).rowcount == 0:
                was_abandoned = True
                if connection.execute(mine.where(calls.outcome == ABANDONED).values(values)).rowcount == 0:
                    return None
            now = self._clock()
            self.calibration.learn(connection, call.prompt, row["provider"], row["model"], told_input, now)
            found = standing(connection, row["day"], row["is_simulated"], self._settings.daily_budget_usd, now)
            percent = SPENT_PERCENT if found.percent >= SPENT_PERCENT else ALERT_PERCENT
            is_news = found.percent >= percent and _not_told_yet(connection, found, percent)
            write(connection, points_of(row | values, was_abandoned=was_abandoned, model=row["model"]), ended_at)
            return found if is_news else None

        try:
            self._write_what_is_left()
            found = self.store.run(work)
        except SophiaError as error:
            # The reservation counts meanwhile.
            _log.error("the end of a call could not be recorded yet", provider=call.row["provider"], problem=error)
            with self._lock:
                self._unwritten.append(lambda connection: _ignored(work(connection)))
            return
        if found is not None:
            _log.warning("%s", _alert(found, self.timezone))

    def _write_what_is_left(self) -> None:
        """Ends that could not be written when they came."""
        with self._lock:
            waiting, self._unwritten = self._unwritten, []
        while waiting:
            try:
                self.store.run(waiting[0])
            except SophiaError:
                break
            waiting.pop(0)
        if waiting:
            with self._lock:
                self._unwritten = waiting + self._unwritten


class OpenCall:
    """A call whose money is reserved. It implements `calling.CallRecord`."""

    def __init__(self, ledger: UsageLedger, prompt: Prompt, row: dict[str, Any]) -> None:
        self.prompt = prompt
        self.row = row
        self._ledger = ledger
        self._began = time.monotonic()
        self._cost: Decimal | None = None
        self._lock = threading.Lock()

    def end(
        self,
        outcome: str,
        tokens: Tokens | None,
        *,
        model: str | None = None,
        request_id: str | None = None,
        partial: str = "",
    ) -> Decimal:
        """Replaces the reservation by what the call cost, which is returned in US dollars; the first end counts.

        `tokens` None says that the vendor told nothing: the estimate of the input and the count of `partial` stand for
        it. Where the ledger cannot be written, the reservation stays for now, and the end is written with a later call.
        """
        with self._lock:
            if self._cost is not None:
                return self._cost
            used = self._used(outcome, tokens, partial)
            told = _cell(model or "", 200)
            self._cost = self._ledger.prices.cost(self.row["provider"], self._priced_as(told), used.tokens)
        is_simulated = self.row["is_simulated"] or is_sandbox_model(told)
        values = {
            "state": ENDED,
            "outcome": _cell(outcome, 30),
            "model": _named(told or self.row["model"], is_simulated),
            "is_simulated": is_simulated,
            "input_tokens": used.tokens.input,
            "output_tokens": used.tokens.output,
            "cached_tokens": used.tokens.cached_input,
            "is_estimated": used.is_estimated,
            "cost_nano_usd": nanos(self._cost),
            "request_id": _cell(request_id, 200) if request_id else None,
            "seconds": round(time.monotonic() - self._began, 3),
        }
        self._ledger._end(self, values, self._told_input(outcome, tokens))
        return self._cost

    def _told_input(self, outcome: str, tokens: Tokens | None) -> int:
        """What the vendor says that the prompt had; 0 where the number may be the estimate itself."""
        if tokens is None or outcome not in _TOLD_TO_THE_END or tokens.input == self.row["input_estimate"]:
            return 0
        return tokens.input

    def _priced_as(self, told: str) -> str:
        """The model that answered, unless only the one that was asked has a price."""
        provider, asked = self.row["provider"], self.row["model"]
        prices = self._ledger.prices
        return told if told and (prices.is_known(provider, told) or not prices.is_known(provider, asked)) else asked

    def _used(self, outcome: str, tokens: Tokens | None, partial: str) -> Used:
        if tokens is None and not partial and outcome in _BEFORE_AN_ANSWER:
            return Used(Tokens(), False)
        given, written, cached = _whole(tokens) if tokens else (0, 0, 0)
        counted = 0
        if partial and not (written and outcome in _TOLD_TO_THE_END):
            provider, model = self.row["provider"], self.row["model"]
            counted = count_output(partial, provider, model, self._ledger.calibration)
        # No answer comes of nothing, whatever the vendor says.
        is_told = given > 0 or (tokens is not None and not partial and outcome != ANSWERED)
        if not is_told:
            given, cached = self.row["input_estimate"], 0
        is_whole = outcome in _TOLD_TO_THE_END and counted <= written
        is_estimated = not is_told or (not is_whole and given + written > 0)
        return Used(Tokens(given, max(written, counted), cached), is_estimated)


def _hold(connection: Connection, day: date, is_simulated: bool) -> None:
    """Takes the day's row, which only one transaction has at a time. Raises Stale where another has just made it."""
    mine = (llm_days.c.day == day) & (llm_days.c.is_simulated == is_simulated)
    if connection.execute(llm_days.update().where(mine).values(told_percent=llm_days.c.told_percent)).rowcount:
        return
    begin_day(connection, day, is_simulated)


def begin_day(connection: Connection, day: date, is_simulated: bool, **counted: int) -> None:
    """Adds the row of a day, with what was counted already, and throws rows away that are too old.

    Raises Stale where another process has just added it.
    """
    nothing = {"told_percent": 0, "cache_hits": 0, "saved_nano_usd": 0}
    insert_new(connection, llm_days, {"day": day, "is_simulated": is_simulated, **nothing, **counted})
    oldest = day - timedelta(days=DAYS_KEPT)
    connection.execute(llm_calls.delete().where(llm_calls.c.day < oldest))
    connection.execute(llm_days.delete().where(llm_days.c.day < oldest))


def _not_told_yet(connection: Connection, found: Standing, percent: int) -> bool:
    """Whether people have not been told today that so much is spent; from now on they have."""
    days = llm_days.c
    mine = (days.day == found.day) & (days.is_simulated == found.is_simulated) & (days.told_percent < percent)
    return connection.execute(llm_days.update().where(mine).values(told_percent=percent)).rowcount == 1


def _alert(found: Standing, timezone: tzinfo) -> str:
    kind = "simulated budget" if found.is_simulated else "budget"
    return (
        f"{found.percent} % of the day's {kind} for language models is spent: {shown(found.spent)} of "
        f"{shown(found.budget)}. It starts anew at {begins_anew(found.day, timezone)}"
    )


def _whole(tokens: Tokens) -> tuple[int, int, int]:
    """Input, output and cached input as they can be: no vendor's number is believed blindly."""
    given, written, cached = (min(max(n, 0), _MOST_TOKENS) for n in (tokens.input, tokens.output, tokens.cached_input))
    return given, written, min(cached, given)


def _named(model: str, is_simulated: bool) -> str:
    """A model as the ledger calls it: a simulated one as the stand-ins do, whether or not it came to an answer."""
    if not is_simulated:
        return model
    return model.removesuffix(SANDBOX_SUFFIX)[: 200 - len(SANDBOX_SUFFIX)] + SANDBOX_SUFFIX


def _cell(text: str, width: int) -> str:
    """A text as both stores take it: no control characters, no lone surrogates, not too long."""
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character for character in sound if character.isprintable())[:width]


def _ignored(_: object) -> None:
    return None
