"""The assistant of one process: a question in, an answer out, recorded, kept for a while, and never an error.

Belongs here: the order of things (cache, understanding, answer, audit) and what becomes of failures. Does not belong
here: what an answer says (`answers.answering`), who may see what (`access.policies`).
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sophia_assets.access import policies
from sophia_assets.assistant.answers.answering import abstained, answer, denied, not_read
from sophia_assets.assistant.answers.briefing_answers import NewestBriefing, NewestBriefings
from sophia_assets.assistant.answers.composing import Asked
from sophia_assets.assistant.answers.fact_source import FactSource
from sophia_assets.assistant.answers.phrasing import Phrasing
from sophia_assets.assistant.answers.quotes import MOST_PASSAGES
from sophia_assets.assistant.answers.standing import Lookout, Standing
from sophia_assets.assistant.answers.withholding import fit_for_reader
from sophia_assets.assistant.interface import (
    MOST_CHARACTERS,
    MOST_TURNS,
    Answer,
    Citation,
    NotRead,
    Question,
    Reading,
    answer_as_json,
)
from sophia_assets.control.cache import CacheKey
from sophia_assets.errors import AccessDenied, AuditUnavailable, ConfigurationError, SophiaError
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.telemetry.labels import ASSISTANT, QUESTION
from sophia_assets.telemetry.logs import bound, get_logger
from sophia_assets.telemetry.series import EMPTY_RESULTS, QUESTION_SECONDS, QUESTIONS
from sophia_assets.warehouse.models import load_models
from sophia_assets.warehouse.reading import QueryRefused

if TYPE_CHECKING:
    from sophia_assets.access.audit_chain import Outcome
    from sophia_assets.assistant.searching.document_search import FoundDocuments
    from sophia_assets.assistant.searching.quote_search import QuoteSearch, QuoteSearches
    from sophia_assets.assistant.understanding.ground import Ground
    from sophia_assets.services import Services
    from sophia_assets.warehouse.reading import Reading as DataReading

_log = get_logger(__name__)
_OUTCOMES: dict[str, Outcome] = {
    "answered": "allowed",
    "clarify": "allowed",
    "abstained": "allowed",
    "denied": "denied",
}
_TOO_LONG = f"A question has at most {MOST_CHARACTERS} characters. Ask it in fewer words."
_UNEXPECTED = "This could not be answered because of a fault of the platform's own. It has been logged."
_NOT_SET_UP = "This cannot be answered at the moment, because the platform is not set up for it. It has been logged."
#: The type of an answer that is held back since nobody can record it.
UNRECORDED = "unrecorded"
_NOT_RECORDED = "Access to data cannot be recorded at the moment, so nothing is shown. Ask again in a while."


class Assistant:
    """Answers questions. Safe for threads; made once for a process, closed at its end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lookout = Lookout(services)
        self._phrasing: Phrasing | None = None
        if services.settings.assistant.uses_models:
            self._phrasing = Phrasing(services)

    def ask(self, question: Question) -> Answer:
        """The answer, whatever is asked: what is not known or not to be seen is an answer that says so.

        Every one is recorded before it is given; what cannot be recorded is denied.
        """
        principal = question.principal
        with bound(principal=principal.name, role=principal.role, channel=principal.channel):
            found = self._asked(question)
            # What was asked, and what was answered, is nobody's business here.
            _log.info(
                "a question was answered",
                status=found.status,
                kind=found.type,
                ms=round(found.latency_ms, 1),
                is_cached=found.is_cached,
            )
            return found

    def _asked(self, question: Question) -> Answer:
        began = time.perf_counter()
        question = _plain(question)
        outcome: Outcome | None = None
        computed: list[bool] = []
        try:
            found = self._answered(question, computed)
        except AccessDenied:
            found = denied()
        except (ConfigurationError, QueryRefused) as error:
            # What is wrong with the set-up is for operators: it may name files and settings.
            _log.error("a question could not be answered", problem=_told(error))
            found, outcome = Answer("abstained", "question", _NOT_SET_UP), "failed"
        except SophiaError as error:
            found = abstained(error, "question")
        except Exception:
            _log.exception("a question could not be answered")
            found, outcome = Answer("abstained", "question", _UNEXPECTED), "failed"
        try:
            self._record(question, found, outcome or _OUTCOMES[found.status], is_cached=not computed)
        except AuditUnavailable:
            found = Answer("denied", UNRECORDED, _NOT_RECORDED)
        except Exception:
            _log.exception("a question could not be recorded")
            found = Answer("denied", UNRECORDED, _NOT_RECORDED)
        has_failed = outcome == "failed" or found.type == UNRECORDED
        self._count(question, "failed" if has_failed else found.status, time.perf_counter() - began)
        return found.timed((time.perf_counter() - began) * 1000, is_cached=not computed)

    def _count(self, question: Question, status: str, seconds: float) -> None:
        channel = question.principal.channel
        points = [QUESTIONS.add(channel=channel, status=status), QUESTION_SECONDS.observe(seconds, channel=channel)]
        if status == "abstained":
            points.append(EMPTY_RESULTS.add(source=ASSISTANT, table=QUESTION))
        self._services.recorder.record(*points)

    def warm_up(self) -> None:
        """Makes what the first question would have to wait for: the data's copy, the names, the quotes, the SDKs.

        Raises nothing: what cannot be made yet is made with the question that needs it.
        """
        steps: list[Callable[[], Any]] = [
            lambda: self._ground(self._services.readings.current("executive")),
            lambda: self._quotes(self._services.readings.current("executive")),
            *([self._phrasing.warm_up] if self._phrasing else []),
        ]
        for step in steps:
            try:
                step()
            except Exception as error:
                _log.warning("the assistant could not be warmed up", problem=error)

    def close(self) -> None:
        """Ends what runs for it; what is under way is not waited for."""
        if self._phrasing:
            self._phrasing.close()

    def _answered(self, question: Question, computed: list[bool]) -> Answer:
        """The answer from the cache, else a new one, which `computed` is told of."""
        if len(question.text) > MOST_CHARACTERS:
            computed.append(True)
            return Answer("abstained", "question", _TOO_LONG)
        data = self._services.readings.current(question.principal.role)
        standing = self._lookout.look(data)
        briefing = self._briefing(question)
        key = CacheKey(
            "answer",
            question.principal.scope,
            self._version(data, standing, briefing),
            (_normal(question.text), [_normal(each) for each in question.earlier]),
        )

        def compute() -> dict[str, Any]:
            computed.append(True)
            return answer_as_json(self._new(question, data, standing, briefing))

        seconds = self._services.settings.cache_seconds()
        return answer_from_json(self._services.cache.get(key, seconds, compute))

    def _new(
        self, question: Question, data: DataReading, standing: Standing, briefing: NewestBriefing | None
    ) -> Answer:
        facts = FactSource(question.principal, data, load_catalog(), load_models(), briefing, standing.shares)
        ground = self._ground(data).seen_by(facts.dimensions, question.principal.rows)
        reading = _understood(question, ground, facts)
        if reading is None:
            return denied()
        if isinstance(reading, NotRead):
            return not_read(reading)
        asked = Asked(
            question=question,
            reading=reading,
            data=data,
            facts=facts,
            standing=standing,
            briefing=briefing,
            quotes=partial(self._quotes, data),
            documents=partial(self._documents, question.principal.role),
        )
        with data.session():
            return answer(asked, self._phrasing, partial(_readable, question, ground))

    def _ground(self, data: DataReading) -> Ground:
        from sophia_assets.assistant.understanding.ground import Ground

        return Ground.of(data, self._services.settings)

    def _quotes(self, data: DataReading) -> QuoteSearch:
        return self._quote_searches.of(data)

    def _documents(self, role: str, words: Sequence[str], account_ids: Collection[str] | None) -> FoundDocuments:
        return self._services.documents.find(words, account_ids=account_ids, limit=MOST_PASSAGES, role=role)

    def _briefing(self, question: Question) -> NewestBriefing | None:
        principal, catalog, models = question.principal, load_catalog(), load_models()

        def may_see(name: str) -> bool:
            metric = catalog.metrics.get(name)
            return metric is not None and policies.deny_metric(principal, metric, models) is None

        return self._briefings.for_reader(principal, lambda role: policies.may_read_edition(principal, role), may_see)

    @cached_property
    def _quote_searches(self) -> QuoteSearches:
        from sophia_assets.assistant.searching.quote_search import QuoteSearches

        return QuoteSearches()

    @cached_property
    def _briefings(self) -> NewestBriefings:
        return NewestBriefings(self._services.publisher.archive)

    def _version(self, data: DataReading, standing: Standing, briefing: NewestBriefing | None) -> str:
        """What an answer rests on beside the question: another one whenever an answer may differ."""
        settings = self._services.settings
        parts = [
            data.version,
            data.day.isoformat(),
            briefing.digest if briefing else "",
            standing.digest,
            settings.timezone,
            str(settings.fiscal_year_start_month),
            settings.assistant.writer,
            str(settings.assistant.deadline_seconds),
            settings.llm.writer,
        ]
        return sha256("|".join(parts).encode()).hexdigest()[:32]

    def _record(self, question: Question, found: Answer, outcome: Outcome, *, is_cached: bool) -> None:
        """One entry of the audit trail, which seals what was asked; what was answered is told by its metrics alone."""
        metrics = [each["name"] for each in found.echo.get("metrics", ())]
        self._services.audit.record(
            question.principal,
            "ask",
            ", ".join(metrics) or found.type,
            outcome,
            {
                "question": " > ".join([*question.earlier[-1:], question.text])[: 2 * MOST_CHARACTERS],
                "status": found.status,
                "type": found.type,
                "answered_from": found.answered_from,
                "writer": found.writer,
                "is_cached": is_cached,
            },
        )


def answer_from_json(given: dict[str, Any]) -> Answer:
    """The answer that `answer_as_json` wrote. Raises KeyError or TypeError where it is none."""
    return Answer(
        status=given["status"],
        type=given["type"],
        response=given["response"],
        results=tuple(given["results"]),
        insights=tuple(given["insights"]),
        citations=tuple(Citation(**{**each, "sources": tuple(each["sources"])}) for each in given["citations"]),
        caveats=tuple(given["caveats"]),
        follow_ups=tuple(given["follow_ups"]),
        echo=given["echo"],
        answered_from=given["answered_from"],
        writer=given["writer"],
        latency_ms=given["latency_ms"],
        is_cached=given["is_cached"],
    )


def _understand(question: Question, ground: Ground) -> Reading | NotRead:
    from sophia_assets.assistant.understanding.understanding import understand

    return understand(question, ground)


def _understood(question: Question, ground: Ground, facts: FactSource) -> Reading | NotRead | None:
    """How a question is read by somebody who may see these facts; None where it is about what is denied.

    Where a question may mean several things of which one alone may be seen, it means that.
    """
    found = _understand(question, ground)
    if isinstance(found, Reading):
        return found
    if found.status == "denied":
        return None
    read = partial(_readable, question, ground)
    told = fit_for_reader(found, question.text, facts.catalog, facts.may_see, read)
    if told is not None and found.status == "clarify" and len(told.choices) == 1 < len(found.choices):
        only = read(told.choices[0])
        if only is not None:
            return replace(only, assumptions=(*only.assumptions, f"the question is taken as “{told.choices[0]}”"))
    return told


def _told(error: SophiaError) -> SophiaError | str:
    """A failure for the log: what a database says may repeat a row or a word of the question."""
    return error if isinstance(error, ConfigurationError) else type(error).__name__


def _readable(question: Question, ground: Ground, text: str) -> Reading | None:
    """A follow-up as it would be read by itself; None where it would not be."""
    try:
        found = _understand(replace(question, text=text, earlier=()), ground)
    except Exception:
        return None
    return found if isinstance(found, Reading) else None


def _plain(question: Question) -> Question:
    """The question as text that can be stored and compared, with the newest turns only."""
    turns = [_text(each)[:MOST_CHARACTERS] for each in question.earlier if each is not None]
    return replace(question, text=_text(question.text), earlier=tuple(turns[-MOST_TURNS:]))


def _text(given: object) -> str:
    """Whatever was given as one line of text: no control characters, no halves of characters."""
    text = given if isinstance(given, str) else "" if given is None else str(given)
    text = text[: 40 * MOST_CHARACTERS].encode("utf-8", "replace").decode()
    text = "".join(" " if unicodedata.category(each) == "Cc" else each for each in unicodedata.normalize("NFC", text))
    return " ".join(text.split())


def _normal(text: str) -> str:
    """The same for questions that differ in case, blanks and the mark at their end only."""
    return re.sub(r"[\s?!.]+$", "", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))
