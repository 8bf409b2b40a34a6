"""What comes of a model's answers and failures: drafts in slots, plain reasons, and what it all took."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.insight.briefing import build_briefing, verify_briefing
from sophia_assets.insight.llm_writer import (
    CUT,
    MAX_CRITICISMS,
    MAX_SENTENCE_LENGTH,
    MAX_SENTENCES,
    MAX_SENTENCES_OF_SECTION,
)
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.prompting import PROMPT_VERSION
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.writing import SECTION_TITLES, WriterUnavailable
from sophia_assets.llm.interface import (
    BudgetSpent,
    Completion,
    ContextOverflow,
    Deadline,
    FailureKind,
    ModelError,
    ModelRefused,
    NoModelAnswered,
    Prompt,
    Tokens,
)
from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.insight.sample_facts import sample_request
from sophia_assets_tests.insight.scripted_models import (
    CRITICISE,
    REVISE,
    WRITE,
    Content,
    ScriptedModels,
    changed,
    criticism,
    everything_in,
    section_of,
    true_content,
    with_stories,
    words,
    writer,
)

VENDOR_WORDS = "Your organisation org-77 hit <b>quota</b> req_123"


def failure(kind: FailureKind, provider: str = "anthropic", tokens: Tokens | None = None) -> ModelError:
    return ModelError(kind, VENDOR_WORDS, provider=provider, tokens=tokens, partial="Bookings are")


def unavailable(kind: FailureKind) -> NoModelAnswered:
    return NoModelAnswered(VENDOR_WORDS, (failure(kind),))


def test_a_models_draft_is_the_drafts_sentences_in_slots() -> None:
    request = with_stories(sample_request())
    plain = OfflineWriter().draft(request)
    draft = writer(ScriptedModels(write=true_content(request))).draft(request)
    assert draft.bottom_line == plain.bottom_line
    assert {key: draft.section(key) for key in SECTION_TITLES} == {key: plain.section(key) for key in SECTION_TITLES}
    used = draft.used
    assert (used.provider, used.model, used.prompt_version) == ("anthropic", "anthropic-1", PROMPT_VERSION)
    assert (used.calls, used.input_tokens, used.output_tokens, used.cost_usd) == (1, 100, 10, 0.25)


def test_typographic_quotes_and_spaces_are_made_plain_and_nothing_else_is_repaired() -> None:
    request = with_stories(sample_request())
    text = "\u201cIt\u2019s\u201d\u00a0 {{f1}}\n \u2013 **bold** {{f999}} {{f1|size}} {{fact:bookings.qtd}}"
    content = changed(true_content(request), "bottom_line", 0, text)
    drafted = writer(ScriptedModels(write=content)).draft(request).bottom_line[0].text
    assert drafted.startswith('"It\'s" {{fact:bookings.qtd}} \u2013 **bold** {{f999}} {{f1|size}} {{unknown fact:')


def test_what_is_too_long_is_cut_so_that_code_refuses_it_and_too_many_sentences_are_not_read() -> None:
    request = with_stories(sample_request())
    content = true_content(request)
    long = "Bookings are {{f1}} " + "and so on " * 100_000
    section_of(content, "risks")[:] = [{"text": long, "story": "s1" * 5_000}] * 10_000
    content["sections"] *= 50
    draft = writer(ScriptedModels(write=content)).draft(request)
    assert all(len(section.sentences) <= MAX_SENTENCES_OF_SECTION for section in draft.sections)
    assert sum(len(section.sentences) for section in draft.sections) + len(draft.bottom_line) <= MAX_SENTENCES
    cut = draft.section("risks")[0]
    assert cut.text.endswith(CUT) and len(cut.text) <= MAX_SENTENCE_LENGTH + 100
    with pytest.raises(SlotError):
        fill(cut.text, request.facts, request.stories)


@pytest.mark.parametrize(
    "content",
    [{}, {"bottom_line": 3, "sections": []}, {"bottom_line": [], "sections": "x"}, {"sections": []}, {"answer": "no"}],
)
def test_an_answer_that_is_no_draft_ends_in_a_plain_reason(content: Content) -> None:
    briefing = build_briefing(sample_request(), writer(ScriptedModels(write=content)))
    assert briefing.writer == "offline" and briefing.usage["calls"] == 1
    assert briefing.fallback == (
        "Written without a language model, because the language model did not answer in the form that was asked for."
    )


def test_parts_that_are_no_sentences_are_refused_and_never_raise() -> None:
    content = true_content(with_stories(sample_request()))
    content["bottom_line"].append({"text": 5, "story": None})
    content["sections"] += [7, {"key": ["x"], "sentences": 3}, {"key": "risks"}, {"key": "gossip", "sentences": []}]
    content["sections"].append({"key": "changes", "sentences": [None, "text", {"story": 1}]})
    briefing = build_briefing(sample_request(), writer(ScriptedModels(write=content)))
    assert briefing.writer == "anthropic" and len(briefing.verification.rejected) == 1


REASONS: list[tuple[Exception, str]] = [
    (unavailable(FailureKind.TIMEOUT), "Anthropic did not answer in time"),
    (unavailable(FailureKind.CONNECTION), "Anthropic could not be reached"),
    (unavailable(FailureKind.QUOTA), "Anthropic has no credit left"),
    (unavailable(FailureKind.AUTHENTICATION), "Anthropic did not accept the key"),
    (unavailable(FailureKind.WRONG_JSON), "Anthropic did not answer in the form that was asked for"),
    (NoModelAnswered(VENDOR_WORDS), "no language model could be asked"),
    (BudgetSpent(VENDOR_WORDS), "the day's budget for language models is spent"),
    (ModelRefused(VENDOR_WORDS, (failure(FailureKind.REFUSAL),)), "the language model declined to write it"),
    (ContextOverflow(VENDOR_WORDS), "the day's facts are more than the language model takes at once"),
    (ControlStoreUnavailable("no store at /secret/path"), "the language models could not be asked"),
    (failure(FailureKind.OVERLOADED), "the language models could not be asked"),
    (ZeroDivisionError(VENDOR_WORDS), "its writer failed"),
    (
        NoModelAnswered(
            VENDOR_WORDS,
            (
                failure(FailureKind.OVERLOADED),
                failure(FailureKind.OVERLOADED),
                failure(FailureKind.RATE_LIMITED, "openai"),
            ),
        ),
        "Anthropic was overloaded and OpenAI answered that it was asked too often",
    ),
]


@pytest.mark.parametrize(("error", "reason"), REASONS)
def test_each_way_of_failing_ends_in_a_published_offline_briefing_with_its_reason(
    error: Exception, reason: str
) -> None:
    offline = build_briefing(sample_request(), OfflineWriter())
    briefing = build_briefing(sample_request(), writer(ScriptedModels(write=error)))
    assert briefing.fallback == f"Written without a language model, because {reason}."
    assert (briefing.writer, briefing.sections) == ("offline", offline.sections)
    assert verify_briefing(briefing, briefing.request.facts) == []
    shown = f"{briefing_as_json(briefing)} {briefing.usage} {briefing.reviews}"
    assert "org-77" not in shown and "secret" not in shown


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_kind_of_failure_has_plain_words(kind: FailureKind) -> None:
    request = with_stories(sample_request())
    with pytest.raises(WriterUnavailable) as caught:
        writer(ScriptedModels(write=unavailable(kind))).draft(request)
    assert caught.value.message.startswith("Anthropic ")
    assert caught.value.used.troubles == (f"{caught.value.message}.",)


def test_what_failed_calls_used_is_counted_with_the_rest() -> None:
    request = with_stories(sample_request())
    models = ScriptedModels(write=true_content(request))
    models.failures = (failure(FailureKind.CUT, tokens=Tokens(40, 4)), failure(FailureKind.TIMEOUT, "openai"))
    used = writer(models).draft(request).used
    assert (used.calls, used.input_tokens, used.output_tokens) == (3, 140, 14)
    assert used.troubles == ("Anthropic broke off in the middle.", "OpenAI did not answer in time.")
    models = ScriptedModels(write=NoModelAnswered("", models.failures))
    briefing = build_briefing(sample_request(), writer(models))
    assert (briefing.usage["calls"], briefing.usage["input_tokens"]) == (2, 40) and not briefing.usage["provider"]


def test_all_calls_of_a_briefing_are_in_its_usage() -> None:
    request = with_stories(sample_request())
    content = true_content(request)
    models = ScriptedModels(
        write=changed(content, "performance", 0, "Bookings doubled."), criticise=criticism("risks", 0), revise=content
    )
    briefing = build_briefing(sample_request(), writer(models))
    assert models.purposes() == [WRITE, CRITICISE, REVISE, CRITICISE, REVISE]
    assert (briefing.usage["calls"], briefing.usage["input_tokens"]) == (5, 500)
    assert briefing.usage["cost_usd"] == 1.25 and briefing.usage["model"] == "anthropic-1"


def test_the_writer_is_the_provider_that_really_wrote() -> None:
    request = with_stories(sample_request())
    briefing = build_briefing(sample_request(), writer(ScriptedModels("openai", write=true_content(request))))
    assert (briefing.writer, briefing.fallback) == ("openai", "")


def test_a_prompt_that_is_too_long_is_halved_once_and_asked_again() -> None:
    request = with_stories(sample_request())
    sizes: list[int] = []

    def answer(prompt: Prompt) -> Content | Exception:
        sizes.append(words(prompt.system) + words(prompt.user))
        return ContextOverflow("too long") if len(sizes) == 1 else true_content(request)

    draft = writer(ScriptedModels(write=answer)).draft(request)
    assert sizes[1] < 0.8 * sizes[0]
    assert any("of little effect" in line for line in draft.used.left_out)
    assert "The day's facts are more than the language model takes at once." in draft.used.troubles


def test_a_second_overflow_is_the_end_in_every_later_call_of_the_briefing_too() -> None:
    request = with_stories(sample_request())
    overflow = ContextOverflow("too long")
    models = ScriptedModels(write=[overflow, true_content(request)], criticise=overflow)
    asked = writer(models)
    draft = asked.draft(request)
    with pytest.raises(WriterUnavailable, match="more than the language model takes"):
        asked.criticise(request, draft)
    assert models.purposes() == [WRITE, WRITE, CRITICISE]
    models = ScriptedModels(write=overflow)
    briefing = build_briefing(request, writer(models))
    assert len(models.prompts) == 2 and briefing.writer == "offline"


def test_one_deadline_covers_all_calls_of_a_briefing() -> None:
    request = with_stories(sample_request())
    now = [0.0]

    def slow(content: Content) -> Callable[[Prompt], Content]:
        def answer(prompt: Prompt) -> Content:
            now[0] += 25.0
            return content

        return answer

    content = true_content(request)
    models = ScriptedModels(
        write=slow(changed(content, "risks", 0, "All is lost.")), criticise=slow({"criticisms": []}), revise=slow({})
    )
    briefing = build_briefing(request, writer(models, 45.0, clock=lambda: now[0]))
    assert models.purposes() == [WRITE, CRITICISE] and len(set(models.deadlines)) == 1
    assert briefing.writer == "anthropic"
    assert "The draft was not revised further: the time for writing was up." in briefing.usage["troubles"]


def test_the_next_briefing_has_a_deadline_of_its_own() -> None:
    request = with_stories(sample_request())
    now = [0.0]
    models = ScriptedModels(write=true_content(request))
    asked = writer(models, 30.0, clock=lambda: now[0])
    for _ in range(3):
        build_briefing(request, asked)
        now[0] += 100.0
    assert all(deadline.at % 100 == 30 for deadline in models.deadlines)


def test_nothing_is_asked_where_there_is_nothing_to_tell() -> None:
    models = ScriptedModels()
    briefing = build_briefing(replace(sample_request(()), facts=FactSet([])), writer(models))
    assert models.prompts == [] and briefing.writer == "offline"
    assert briefing.fallback == "Written without a language model, because there are no figures to write about."


def test_criticisms_are_taken_only_where_they_are_about_something_and_never_in_thousands() -> None:
    request = with_stories(sample_request())
    good = {"section": "risks", "sentence": 1, "principle": "helpful", "problem": "Say \n why." + "x" * 10_000}
    given = [
        {**good, "section": "gossip"},
        {**good, "sentence": 99},
        {**good, "sentence": -2},
        {**good, "sentence": "1"},
        {**good, "principle": "accurate"},
        {**good, "problem": None},
        None,
        good,
    ]
    for criticisms, found in ((given, 1), ([{**good, "sentence": -1}, good] * 10_000, 2), ("x", 0), (None, 0)):
        asked = writer(ScriptedModels(write=true_content(request), criticise={"criticisms": criticisms}))
        draft = asked.draft(request)
        taken, used = asked.criticise(request, draft)
        assert len(taken) == found <= MAX_CRITICISMS and used.calls == 1
        assert all(len(each.problem) <= 200 for each in taken)


def test_many_briefings_at_once_do_not_mix_their_prompts() -> None:
    request = with_stories(sample_request())
    other = replace(with_stories(sample_request(("hubspot",))), role="sales_leader")
    seen: dict[str, set[str]] = {"executive": set(), "sales_leader": set()}

    class Watching(ScriptedModels):
        def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
            seen[key.rpartition(":")[2]].add(prompt.user.partition("<draft>")[0][:600])
            return super().complete(prompt, key=key, deadline=deadline)

    asked = writer(Watching(write={"bottom_line": [], "sections": []}, revise={"bottom_line": [], "sections": []}))
    threads = [threading.Thread(target=build_briefing, args=(each, asked)) for each in (request, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("role|executive" in text for text in seen["executive"]) and seen["sales_leader"]
    assert all("role|sales_leader" in text for text in seen["sales_leader"])


WORDS = re.findall(
    r"\S+",
    "Bookings Customers are is we {{f1}} {{f2}} {{f1|delta}} {{f1|direction}} {{f1|period}} {{s1}} {{s1|due}} "
    "{{f8|rank}} the of up not $5M deals Contoso , . : and because in March {{f1|previous_period}} from",
)
TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "Bookings are {{f1}} {{f1|period}}.",
            "{{s1}} is {{s1|likelihood}} to leave.",
            "Agree a plan with {{s2}}: {{s2|owner}}, by {{s2|due}}.",
            "Bookings {{f1|moved}} {{f2|delta}} to {{f1}}.",
            "{{f3|subject}} pays {{f4}} a month and owes {{f9}}.",
            "Decide by {{s1|due}} how to keep {{s1}}, worth {{f12}}.",
            "{{f1}}",
            "{{fact:bookings.qtd}} {{f1|direction}} {{f1|delta}}",
            "Bookings fell from {{f1}} to {{f1|previous}}.",
        ]
    ),
    st.lists(
        st.sampled_from(WORDS),
        max_size=14,
    ).map(" ".join),
)
SENTENCES = st.lists(
    st.fixed_dictionaries({"text": TEXTS, "story": st.sampled_from(["", "s1", "s2", "s9", "s77", "x"])}), max_size=4
)
DRAFTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "bottom_line": SENTENCES,
        "sections": st.lists(
            st.fixed_dictionaries({"key": st.sampled_from(list(SECTION_TITLES)), "sentences": SENTENCES}), max_size=5
        ),
    }
)
REQUEST = sample_request()
TRUE = true_content(with_stories(REQUEST))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAFTS, st.booleans())
def test_whatever_a_model_answers_in_the_drafts_form_nothing_unverified_is_published(
    content: dict[str, Any], is_mixed: bool
) -> None:
    mixed = {"bottom_line": TRUE["bottom_line"], "sections": [*TRUE["sections"], *content["sections"]]}
    models = ScriptedModels(write=mixed if is_mixed else content, revise=content)
    briefing = build_briefing(REQUEST, writer(models))
    assert verify_briefing(briefing, REQUEST.facts) == []
    assert 0 < len(briefing.bottom_line_text.split()) <= 40
    assert len(models.prompts) <= 5 and Decimal(str(briefing.usage["cost_usd"])) == Decimal("0.25") * len(
        models.prompts
    )
    for prompt in models.prompts:
        everything_in(prompt).encode()
