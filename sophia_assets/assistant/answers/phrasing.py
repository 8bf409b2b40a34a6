"""Other words for an answer, by a language model under a short deadline, checked like a briefing's sentences.

Belongs here: asking, bounded in time and in number, and what of it may be shown. Does not belong here: the prompt
(`phrase_prompts`), the rules that a sentence has to meet (`insight.review_rules`). Whatever fails, is late or breaks a
rule leaves the answer in code's own words, with the reason.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from sophia_assets.assistant.answers.phrase_prompts import prompt_for
from sophia_assets.errors import SophiaError
from sophia_assets.insight.handles import Handles
from sophia_assets.insight.review_rules import Rules
from sophia_assets.insight.slots import SLOT, fill
from sophia_assets.insight.writing import BriefingRequest, Draft, DraftSection, DraftSentence
from sophia_assets.llm.interface import BudgetSpent, Completion, Deadline, ModelRefused, NoModelAnswered
from sophia_assets.telemetry.logs import carried, get_logger
from sophia_assets.telemetry.series import SENTENCES

if TYPE_CHECKING:
    from sophia_assets.assistant.answers.composing import Asked, Composed
    from sophia_assets.llm.interface import Prompt
    from sophia_assets.services import Services

MOST_AT_ONCE = 4
"""So many answers are phrased by models at a time; others are said in code's words at once."""
MOST_SENTENCES = 6
MOST_INSIGHTS = 3
MAX_SENTENCE_LENGTH = 400
#: What an answer's sentences are judged as: the part of a briefing that states figures.
_SECTION = "performance"
#: What may pass after a model's deadline until it is no longer waited for.
_GRACE_SECONDS = 0.1
_log = get_logger(__name__)

TOO_MANY = "too many answers were being phrased"
BY_CODE = "answers of this kind are phrased by code"
LATE = "the language model did not answer in time"
NOT_ASKED_AGAIN = "the language model could not be asked"


@dataclass(frozen=True)
class Phrased:
    """What a model made of an answer: filled sentences; `reason` says why nothing, where it is nothing.

    `refused` counts the sentences that did not stand.
    """

    response: tuple[str, ...] = ()
    insights: tuple[str, ...] = ()
    writer: str = "offline"
    reason: str = ""
    refused: int = 0


class Phrasing:
    """Has answers phrased by the services' language models. Safe for threads; nobody waits longer than the deadline."""

    def __init__(self, services: Services, *, most_at_once: int = MOST_AT_ONCE) -> None:
        self._services = services
        self._seconds = services.settings.assistant.deadline_seconds
        self._free = threading.BoundedSemaphore(most_at_once)
        self._threads = ThreadPoolExecutor(most_at_once, thread_name_prefix="phrasing")

    def phrase(self, asked: Asked, composed: Composed) -> Phrased:
        """The answer in a model's words, where all of them stand; else why not. Raises nothing."""
        try:
            return self._phrase(asked, composed)
        except Exception:
            _log.exception("an answer could not be phrased")
            return Phrased(reason=NOT_ASKED_AGAIN)

    def warm_up(self) -> None:
        """Imports the vendors' libraries, which takes seconds that no question should wait for."""
        for name in self._services.settings.llm.chain:
            importlib.import_module(name)
        _ = self._services.language_models

    def close(self) -> None:
        """Takes no more; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _phrase(self, asked: Asked, composed: Composed) -> Phrased:
        facts = list(composed.facts.values())
        rules = _rules(asked, composed)
        # What code cannot judge when code says it, it could not judge when a model does.
        if not all(_stands(rules, each) for each in composed.sentences):
            return Phrased(reason=BY_CODE)
        to_mend = [each for each in composed.insights if _stands(rules, each)]
        handles = Handles(facts, ())
        prompt = prompt_for(str(asked.reading.intent), asked.day, facts, handles, composed.sentences, to_mend)
        completion = self._asked(prompt, _conversation(asked))
        if isinstance(completion, str):
            return Phrased(reason=completion)
        told = _checked(completion, rules, handles, composed.sentences)
        self._services.recorder.record(
            SENTENCES.add(len(told.response) + len(told.insights), writer=completion.provider, outcome="kept"),
            SENTENCES.add(told.refused, writer=completion.provider, outcome="refused"),
        )
        kept = [each for each in composed.insights if each not in to_mend or not told.insights]
        filled = tuple(fill(each, composed.fact_set()).text for each in kept)
        return replace(told, insights=(*told.insights, *filled)[:MOST_INSIGHTS])

    def _asked(self, prompt: Prompt, key: str) -> Completion | str:
        """A completion within the deadline, or why there is none."""
        if not self._free.acquire(blocking=False):
            return TOO_MANY
        deadline = Deadline.after(self._seconds)
        try:
            future = self._threads.submit(
                carried(self._services.language_models.complete), prompt, key=key, deadline=deadline
            )
        except BaseException:
            self._free.release()
            raise
        # A place is free again when the call has ended, not when nobody waits for it any more.
        future.add_done_callback(lambda _: self._free.release())
        return _result(future, self._seconds + _GRACE_SECONDS)


def _result(future: Future[Completion], seconds: float) -> Completion | str:
    try:
        return future.result(timeout=seconds)
    except NotDone:
        future.cancel()
        return LATE
    except BudgetSpent:
        return "the day's budget for language models is spent"
    except ModelRefused:
        return "the language model declined"
    except NoModelAnswered as error:
        _log.info("an answer is phrased by code", problem=error)
        return "no language model answered"
    except SophiaError as error:
        _log.warning("an answer is phrased by code", problem=error)
        return NOT_ASKED_AGAIN


def _rules(asked: Asked, composed: Composed) -> Rules:
    """The rules of a briefing that holds the answer's facts alone; code's own sentences are known to them."""
    request = BriefingRequest(
        company_name="",
        date=asked.day,
        timezone=asked.standing.timezone,
        facts=composed.fact_set(),
        statuses=(),
        generated_at=datetime.now(UTC),
        role=asked.question.principal.role,
    )
    sentences = tuple(DraftSentence(each) for each in [*composed.sentences, *composed.insights])
    return Rules(request, Draft((), (DraftSection(_SECTION, sentences),)))


def _stands(rules: Rules, sentence: str) -> bool:
    return not rules.objections(_SECTION, DraftSentence(sentence))


def _checked(completion: Completion, rules: Rules, handles: Handles, plain: Sequence[str]) -> Phrased:
    """What of a completion may be shown: all of the response or nothing, and the insights that stand."""
    response = _sentences(completion.content.get("response"), handles, MOST_SENTENCES)
    if not response:
        return Phrased(reason="the language model gave no sentence")
    filled = [rules.filled(_SECTION, DraftSentence(each)) for each in response]
    if refused := sum(each is None for each in filled):
        return Phrased(reason="a sentence of the language model did not pass the checks", refused=refused)
    if len(set(response)) < len(response):
        return Phrased(reason="the language model said something twice")
    if not _shown(plain) <= _shown(response):
        return Phrased(reason="the language model left out a figure")
    drafted = _sentences(completion.content.get("insights"), handles, MOST_INSIGHTS)
    mended = [rules.filled(_SECTION, DraftSentence(each)) for each in drafted if each not in response]
    insights = tuple(each.text for each in mended if each)
    shown = tuple(each.text for each in filled if each)
    return Phrased(shown, insights, completion.provider, refused=len(mended) - len(insights))


def _shown(sentences: Sequence[str]) -> set[str]:
    """The facts whose value sentences show."""
    slots = (match for text in sentences for match in SLOT.finditer(text))
    return {match["id"] for match in slots if (match["aspect"] or "value") == "value"}


def _sentences(given: object, handles: Handles, at_most: int) -> list[str]:
    """The first sentences of what a model gave, with slots for handles; what is none, or too long, becomes one that is
    refused."""
    items: Sequence[object] = given if isinstance(given, list) else []
    return [_sentence(each, handles) for each in items[: at_most + 1]]


def _sentence(given: object, handles: Handles) -> str:
    if not isinstance(given, str) or len(given) > MAX_SENTENCE_LENGTH:
        return "{{cut}}"
    return handles.to_slots(" ".join(given.split()))


def _conversation(asked: Asked) -> str:
    """What the rollout of the providers goes by: the same for all questions of one conversation."""
    question = asked.question
    first = question.earlier[0] if question.earlier else question.text
    return f"answer:{sha256(f'{question.principal.name} {first}'.encode()).hexdigest()[:16]}"
