"""The writer that asks language models: for a draft, for a critique of it, and for the draft written anew.

Nothing that a model returns is trusted or repaired. Handles become slots, what is too long is cut so that it shows, and
code judges every sentence (`reviewing`). Does not belong here: who is asked, how often and for how much money (`llm`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import SophiaError
from sophia_assets.insight.instructions import CRITICISED
from sophia_assets.insight.names import listed
from sophia_assets.insight.writing import (
    SECTION_TITLES,
    BriefingRequest,
    Criticism,
    Draft,
    DraftSection,
    DraftSentence,
    ModelUse,
    WriterUnavailable,
)
from sophia_assets.llm.interface import (
    BudgetSpent,
    Completion,
    ContextOverflow,
    Deadline,
    FailureKind,
    ModelError,
    ModelRefused,
    Models,
    NoModelAnswered,
    Prompt,
    Tokens,
)
from sophia_assets.telemetry.logs import get_logger

if TYPE_CHECKING:
    from sophia_assets.insight.prompting import Prompts

MAX_SENTENCE_LENGTH = 400
MAX_SENTENCES_OF_SECTION = 10
MAX_SENTENCES = 50
MAX_CRITICISMS = 8
MAX_PROBLEM_LENGTH = 200
#: What follows a sentence that was cut: no slot that code could fill, so that the sentence is refused.
CUT = " {{cut}}"
#: So many briefings may be under way with one writer at a time.
_MOST_SESSIONS = 16

_FAILURES: Mapping[FailureKind, str] = {
    FailureKind.CONNECTION: "could not be reached",
    FailureKind.TIMEOUT: "did not answer in time",
    FailureKind.OVERLOADED: "was overloaded",
    FailureKind.SERVER_ERROR: "failed on its own side",
    FailureKind.RATE_LIMITED: "answered that it was asked too often",
    FailureKind.QUOTA: "has no credit left",
    FailureKind.AUTHENTICATION: "did not accept the key",
    FailureKind.BAD_REQUEST: "did not take the request",
    FailureKind.CONTEXT_OVERFLOW: "cannot take that much at once",
    FailureKind.REFUSAL: "declined to write it",
    FailureKind.CUT: "broke off in the middle",
    FailureKind.TRUNCATED: "ran out of room before the end",
    FailureKind.WRONG_JSON: "did not answer in the form that was asked for",
}
_PROVIDERS = {"anthropic": "Anthropic", "openai": "OpenAI"}
_log = get_logger(__name__)

_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


@dataclass
class _Session:
    """What one briefing's calls share: its prompts, and the moment by which all of them have to be done."""

    prompts: Prompts
    deadline: Deadline
    has_overflowed: bool = False


class LlmWriter:
    """Has a briefing written by language models; `name` is the provider that is asked first.

    All calls for one briefing are done within `deadline_seconds` from when its draft is asked for. `count` says how
    many tokens a text has, `most_tokens` how many a prompt may have.
    """

    def __init__(
        self,
        models: Models,
        deadline_seconds: float,
        name: str,
        *,
        count: Callable[[str], int] | None = None,
        most_tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._models, self._seconds, self._clock = models, deadline_seconds, clock
        self._count, self._most_tokens = count or _count_offline, most_tokens
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()

    def draft(self, request: BriefingRequest) -> Draft:
        """A draft by one completion of one model. Raises WriterUnavailable."""
        if not len(request.facts):
            raise WriterUnavailable("there are no figures to write about")
        session = self._begin(request)
        completion, used = self._ask(request, session, lambda prompts: prompts.writing())
        return _draft(completion, session, used)

    def criticise(self, request: BriefingRequest, draft: Draft) -> tuple[tuple[Criticism, ...], ModelUse]:
        """What a model finds unhelpful in a draft, and what asking took. Raises WriterUnavailable."""
        session = self._session(request)
        completion, used = self._ask(request, session, lambda prompts: prompts.criticising(draft))
        return _criticisms(completion.content, draft), used

    def revise(self, request: BriefingRequest, draft: Draft, criticisms: Sequence[Criticism]) -> Draft:
        """The draft written anew by one completion of one model. Raises WriterUnavailable."""
        session = self._session(request)
        completion, used = self._ask(request, session, lambda prompts: prompts.revising(draft, criticisms))
        return _draft(completion, session, used)

    def _begin(self, request: BriefingRequest) -> _Session:
        from sophia_assets.insight.prompting import MAX_PROMPT_TOKENS, Prompts

        deadline = Deadline.after(self._seconds, self._clock)
        prompts = Prompts(request, self._count, self._most_tokens or MAX_PROMPT_TOKENS)
        session = _Session(prompts, deadline)
        with self._lock:
            self._sessions[request.key] = session
            self._sessions.move_to_end(request.key)
            while len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def _session(self, request: BriefingRequest) -> _Session:
        return self._sessions.get(request.key) or self._begin(request)

    def _ask(
        self, request: BriefingRequest, session: _Session, build: Callable[[Prompts], Prompt]
    ) -> tuple[Completion, ModelUse]:
        """One completion; where the prompt is too long for the model, once more with half of it."""
        spent = ModelUse()
        while True:
            prompt = build(session.prompts)
            about = self._about(session)
            if not session.deadline.left:
                raise WriterUnavailable("the time for writing was up", spent.plus(about))
            try:
                completion = self._models.complete(prompt, key=request.key, deadline=session.deadline)
            except NoModelAnswered as error:
                spent = spent.plus(_used_in_vain(error).plus(about))
                if not isinstance(error, ContextOverflow) or session.has_overflowed:
                    raise WriterUnavailable(_reason(error), spent) from error
                session.has_overflowed = True
                session.prompts.most_tokens = session.prompts.size(prompt) // 2
            except SophiaError as error:
                _log.warning("the language models could not be asked", problem=error)
                raise WriterUnavailable("the language models could not be asked", spent.plus(about)) from error
            else:
                return completion, spent.plus(_used(completion).plus(about))

    @staticmethod
    def _about(session: _Session) -> ModelUse:
        from sophia_assets.insight.prompting import PROMPT_VERSION

        return ModelUse(prompt_version=PROMPT_VERSION, left_out=session.prompts.left_out)


def _used(completion: Completion) -> ModelUse:
    """What a completion took, with the tokens of the calls that failed before it; nothing for one that was kept."""
    own = None if completion.from_cache else completion.tokens
    tokens = _tokens([own, *(failure.tokens for failure in completion.failures)])
    return ModelUse(
        provider=completion.provider,
        model=completion.model,
        calls=completion.calls,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cost_usd=float(completion.cost_usd),
        troubles=_troubles(completion.failures),
    )


def _used_in_vain(error: NoModelAnswered) -> ModelUse:
    """What calls took that gave nothing, as far as is known; their money stands in the ledger."""
    tokens = _tokens(failure.tokens for failure in error.failures)
    return ModelUse(
        calls=len(error.failures),
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        troubles=_troubles(error.failures) or (_sentence(_reason(error)),),
    )


def _count_offline(text: str) -> int:
    from sophia_assets.llm.tokens import count_text

    return count_text(text, "")


def _tokens(used: Iterable[Tokens | None]) -> Tokens:
    known = [tokens for tokens in used if tokens is not None]
    return Tokens(sum(tokens.input for tokens in known), sum(tokens.output for tokens in known))


def _troubles(failures: Iterable[ModelError]) -> tuple[str, ...]:
    """A line for each failed call, in plain words and none of a vendor's."""
    return tuple(_sentence(_failure(failure)) for failure in failures)


def _failure(failure: ModelError) -> str:
    return f"{_PROVIDERS.get(failure.provider, failure.provider)} {_FAILURES[failure.kind]}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _reason(error: NoModelAnswered) -> str:
    """Why no model wrote, to stand behind `because`."""
    if isinstance(error, BudgetSpent):
        return "the day's budget for language models is spent"
    if isinstance(error, ModelRefused):
        return "the language model declined to write it"
    if isinstance(error, ContextOverflow):
        return "the day's facts are more than the language model takes at once"
    return listed(list(dict.fromkeys(map(_failure, error.failures)))) or "no language model could be asked"


def _draft(completion: Completion, session: _Session, used: ModelUse) -> Draft:
    """The completion as a draft. Raises WriterUnavailable where its content is not a draft at all."""
    content, left = completion.content, MAX_SENTENCES
    sections = content.get("sections")
    if not isinstance(content.get("bottom_line"), list) or not isinstance(sections, list):
        raise WriterUnavailable("the language model did not answer in the form that was asked for", used)
    bottom_line = _sentences(content["bottom_line"], session, left)
    left -= len(bottom_line)
    found: dict[str, list[DraftSentence]] = {}
    for section in sections:
        key = section.get("key") if isinstance(section, Mapping) else None
        if not isinstance(key, str) or key not in SECTION_TITLES:
            continue
        own = found.setdefault(key, [])
        new = _sentences(section.get("sentences"), session, min(left, MAX_SENTENCES_OF_SECTION - len(own)))
        left -= len(new)
        own += new
    drafted = tuple(DraftSection(key, tuple(sentences)) for key, sentences in found.items())
    return Draft(tuple(bottom_line), drafted, used)


def _sentences(given: object, session: _Session, at_most: int) -> list[DraftSentence]:
    """The first sentences of a list; what is none becomes one that code refuses."""
    found = []
    for item in islice(given if isinstance(given, list) else [], max(0, at_most)):
        text = item.get("text") if isinstance(item, Mapping) else None
        story = item.get("story") if isinstance(item, Mapping) else None
        handles = session.prompts.handles
        found.append(
            DraftSentence(
                handles.to_slots(_plain(text, MAX_SENTENCE_LENGTH)) if isinstance(text, str) else CUT.strip(),
                handles.story_id(story[:20]) if isinstance(story, str) else None,
            )
        )
    return found


def _plain(text: str, length: int) -> str:
    """The text on one line, with plain quotation marks; cut where it is too long."""
    # Nothing is read further than it can matter.
    line = " ".join(text[: 4 * length].translate(_PLAIN).split())
    return line if len(line) <= length else line[:length].rstrip("{}") + CUT


def _criticisms(content: Mapping[str, Any], draft: Draft) -> tuple[Criticism, ...]:
    """The criticisms that are about something in the draft; what else a model says is left aside."""
    given = content.get("criticisms")
    found: dict[tuple[str, int | None], Criticism] = {}
    for item in islice(given if isinstance(given, list) else [], MAX_CRITICISMS):
        if not isinstance(item, Mapping):
            continue
        section, place, problem = item.get("section"), item.get("sentence"), item.get("problem")
        principle = CRITICISED.get(str(item.get("principle")))
        if principle is None or not isinstance(place, int) or not isinstance(problem, str):
            continue
        if not isinstance(section, str) or section not in ("bottom_line", *SECTION_TITLES):
            continue
        sentences = draft.bottom_line if section == "bottom_line" else draft.section(section)
        if not -1 <= place < len(sentences):
            continue
        sentence = None if place == -1 else place
        words = " ".join(problem[: 4 * MAX_PROBLEM_LENGTH].split())[:MAX_PROBLEM_LENGTH]
        found.setdefault((section, sentence), Criticism(principle, section, sentence, words))
    return tuple(found.values())
