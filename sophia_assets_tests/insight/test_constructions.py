"""Models write in known constructions only, so that what a sentence claims is what its facts hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.insight.constructions import examples_for, known_constructions, skeleton
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.prompting import DRAFT_SCHEMA
from sophia_assets.insight.review_rules import Rules
from sophia_assets.insight.slots import fill
from sophia_assets.insight.stories import Story
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.sandbox.language.model import answer
from sophia_assets_tests.insight.constructions import found_constructions
from sophia_assets_tests.insight.prose import true_prose
from sophia_assets_tests.insight.variations import true_sentences
from sophia_assets_tests.sandbox.small_prompts import asked_of

LIES = [
    line
    for line in Path(__file__).with_name("clever_lies.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@cache
def _sample() -> tuple[BriefingRequest, dict[str, Story], Rules]:
    request, _ = true_sentences(1)
    rules = Rules(request, OfflineWriter().draft(request))
    first: dict[str, Story] = {}
    for story in request.stories:
        first.setdefault(story.kind, story)
    return request, first, rules


def _drafted(line: str) -> tuple[str, DraftSentence]:
    _, stories, _ = _sample()
    head, _, text = line.partition("# ")
    section, _, kind = head.partition("/")
    text = re.sub(r"\[([^\]]+)\]", lambda match: f"{{{{fact:{match[1]}}}}}", text)
    text = re.sub(
        r"<(\w+)(\|\w+)?>", lambda match: f"{{{{story:{stories[match[1]].id}{match[2] or '|subject'}}}}}", text
    )
    return section, DraftSentence(text, stories[kind].id if kind else None)


@pytest.mark.parametrize("line", LIES)
def test_a_sentence_whose_parts_are_right_and_that_is_false_is_refused(line: str) -> None:
    request, _, rules = _sample()
    section, sentence = _drafted(line)
    assert fill(sentence.text, request.facts, request.stories).text
    assert rules.objections(section, sentence)


def test_the_list_holds_what_true_sentences_are_made_of() -> None:
    found = found_constructions(companies=2, drafts=3)
    assert len(found) > 150
    assert [key for key in found if key not in known_constructions()] == []


def test_honest_models_are_refused_less_than_one_sentence_in_a_hundred() -> None:
    refused, count = [], 0
    for seed in range(900, 912):
        asked = asked_of(seed)
        rules = Rules(asked.request, OfflineWriter().draft(asked.request))
        content = json.loads(answer(asked.given, DRAFT_SCHEMA))
        parts = [("bottom_line", content["bottom_line"]), *((p["key"], p["sentences"]) for p in content["sections"])]
        for section, sentences in parts:
            for written in sentences:
                count += 1
                if rules.objections(section, asked.drafted(written)):
                    refused.append(written["text"])
    assert count > 200
    assert len(refused) <= 0.01 * count, refused


def test_true_prose_of_another_company_is_refused_less_than_one_time_in_a_hundred() -> None:
    request, _ = true_sentences(77)
    rules = Rules(request, OfflineWriter().draft(request))
    prose = true_prose(request)
    refused = [each.text for each in prose if not rules.is_known(each.draft)]
    assert len(prose) > 300
    assert len(refused) <= 0.01 * len(prose), refused


def test_what_the_deterministic_writer_says_is_always_known() -> None:
    request, _, rules = _sample()
    for section in OfflineWriter().draft(request).sections:
        assert [sentence.text for sentence in section.sentences if not rules.is_known(sentence)] == []


def test_a_period_and_a_move_behind_a_figure_may_be_left_out() -> None:
    request, _, _ = _sample()
    move = "{{fact:bookings.qtd|direction}} {{fact:bookings.qtd|delta}}"
    long = f"{{{{fact:bookings.qtd}}}} in bookings {{{{fact:bookings.qtd|period}}}}, {move}."
    short = "{{fact:bookings.qtd}} in bookings."
    assert skeleton(DraftSentence(long), request.facts, {}) == skeleton(DraftSentence(short), request.facts, {})


def test_a_move_of_another_fact_is_no_addition() -> None:
    request, _, _ = _sample()
    own = "Bookings are {{fact:bookings.qtd}}, {{fact:bookings.qtd|direction}} {{fact:bookings.qtd|delta}}."
    foreign = "Bookings are {{fact:bookings.qtd}}, {{fact:mrr.as_of|direction}} {{fact:mrr.as_of|delta}}."
    assert skeleton(DraftSentence(own), request.facts, {}) != skeleton(DraftSentence(foreign), request.facts, {})


def test_facts_about_two_accounts_are_not_built_like_facts_about_one() -> None:
    request, _, _ = _sample()
    pays = "{{fact:mrr.as_of.account.contoso|subject}} pays {{fact:mrr.as_of.account.contoso}} a month and renews in "
    same, other = (
        DraftSentence(f"{pays}{{{{fact:days_to_renewal.as_of.account.{name}}}}}.")
        for name in ("contoso", "northwind_traders")
    )
    assert skeleton(same, request.facts, {}) != skeleton(other, request.facts, {})


def test_a_share_of_what_does_not_add_up_has_no_construction() -> None:
    request, _, _ = _sample()
    fact = next(fact for fact in request.facts if fact.share_display and fact.unit == "score")
    text = f"{{{{fact:{fact.id}|subject}}}} scored {{{{fact:{fact.id}}}}}, {{{{fact:{fact.id}|share}}}} of the total."
    assert skeleton(DraftSentence(text), request.facts, {}) == ""


def test_an_unknown_fact_or_a_foreign_story_has_no_construction() -> None:
    request, stories, _ = _sample()
    assert skeleton(DraftSentence("Bookings are {{fact:nothing.qtd}}."), request.facts, {}) == ""
    story = stories["churn"]
    foreign = DraftSentence(f"{{{{story:{story.id}|subject}}}} left.", None)
    assert skeleton(foreign, request.facts, {story.id: story}) == ""


def test_examples_are_of_the_kinds_and_metrics_asked_for() -> None:
    churn = examples_for(["churn"], ["bookings", "churned_mrr"])
    assert any("took" in example for example in churn)
    assert not any("leaving came up" in example.lower() or "slip" in example for example in churn)
    assert len(examples_for(["churn"], ["bookings"], 1)) < len(churn)


@given(st.text(alphabet=st.characters(exclude_characters="{}"), max_size=60))
def test_no_free_text_has_a_known_construction(text: str) -> None:
    _, _, rules = _sample()
    sentence = DraftSentence(f"{text} {{{{fact:bookings.qtd}}}} {text}{text}.")
    assert text.strip() == "" or not rules.is_known(sentence)


def test_the_words_of_a_sentence_count_whoever_wrote_it() -> None:
    request, _, rules = _sample()
    own = OfflineWriter().draft(request).sections[0].sentences[0]
    assert not rules.is_known(replace(own, text=own.text.removesuffix(".") + " in all."))
