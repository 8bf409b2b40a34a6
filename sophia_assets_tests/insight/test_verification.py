"""What verification refuses and what it lets through, through its public functions."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.slots import SlotError, fill, target_side
from sophia_assets.insight.verification import Verifier, verify_draft, verify_text
from sophia_assets.insight.writing import Draft, DraftSection, DraftSentence
from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.insight import corruption
from sophia_assets_tests.insight.prose import templates, true_prose
from sophia_assets_tests.insight.publishing_path import Path
from sophia_assets_tests.insight.sample_facts import DAY, make_fact, sample_facts
from sophia_assets_tests.insight.variations import true_sentences, varied_request

FACTS = sample_facts()
BOOKINGS = "bookings.qtd"
PAYS, RENEWS = "mrr.as_of.account.northwind_traders", "days_to_renewal.as_of.account.northwind_traders"
OTHER_PAYS = "mrr.as_of.account.contoso"


def kinds(text: str, *fact_ids: str) -> set[str]:
    return {finding.kind for finding in verify_text(text, FACTS, fact_ids)}


@pytest.mark.parametrize(
    ("text", "fact_ids"),
    [
        ("Bookings are $1.24M so far this quarter, down $210K from the same point last quarter.", [BOOKINGS]),
        ("Bookings fell 14.5% to $1.24M so far this quarter.", [BOOKINGS]),
        ("So far this quarter, bookings are $1.24M.", [BOOKINGS]),
        ("We booked $1,243,600 so far this quarter.", [BOOKINGS]),
        ("Bookings are $210K lower than at the same point last quarter.", [BOOKINGS]),
        ("Northwind Traders pays $28K a month and renews in 34 days.", [PAYS, RENEWS]),
        ("Northwind Traders pays $28K a month, and Contoso pays $22K a month.", [PAYS, OTHER_PAYS]),
        ("Monthly recurring revenue is $412K.", ["mrr.as_of"]),
        ("The win rate is 41.1%, down 5.4 points.", ["win_rate.qtd"]),
        ("Customer satisfaction fell from 4.2 to 3.9 in the last 60 days.", ["satisfaction_score.last_60d"]),
        ("Overdue invoices worsened by $37K to $88K.", ["overdue_amount.as_of"]),
        ("Fabrikam added $6,400 a month in the last 30 days.", ["expansion_mrr.last_30d.account.fabrikam"]),
        ("Priya Patel brought in $420K so far this quarter, 33.8% of the total.", ["bookings.qtd.owner.priya_patel"]),
    ],
)
def test_true_sentences_in_many_words_are_let_through(text: str, fact_ids: list[str]) -> None:
    assert verify_text(text, FACTS, fact_ids) == []


@pytest.mark.parametrize(
    ("text", "fact_ids", "kind"),
    [
        ("Bookings are $1.25M so far this quarter.", [BOOKINGS], "figure"),
        ("Bookings are $412K so far this quarter.", [BOOKINGS, "mrr.as_of"], "figure"),
        ("Bookings are $1.24M so far this quarter, up $210K.", [BOOKINGS], "direction"),
        ("Bookings improved $210K to $1.24M so far this quarter.", [BOOKINGS], "direction"),
        ("Bookings are $1.24M in the last 30 days.", [BOOKINGS], "period"),
        ("Bookings are $1.24M this year.", [BOOKINGS], "period"),
        ("Bookings were $1.24M on 3 May 2024.", [BOOKINGS], "period"),
        ("Bookings are €1.24M so far this quarter.", [BOOKINGS], "figure"),
        ("Bookings are $1.24K so far this quarter.", [BOOKINGS], "figure"),
        ("Northwind Traders pays $22K a month, and Contoso pays $28K a month.", [PAYS, OTHER_PAYS], "figure"),
        ("Contoso pays $28K a month.", [PAYS], "name"),
        ("Initrode pays $28K a month.", [PAYS], "name"),
        ("Northwind Traders owes $28K.", [PAYS], "figure"),
        ("Northwind Traders pays nearly $28K a month.", [PAYS], "vague"),
        ("Northwind Traders pays more than $28K a month.", [PAYS], "vague"),
        ("Northwind Traders pays twice $28K a month.", [PAYS], "vague"),
        ("Northwind Traders pays a record $28K a month.", [PAYS], "vague"),
        ("Northwind Traders renews in thirty-five days.", [RENEWS], "figure"),
        ("Northwind Traders renews in 34 weeks.", [RENEWS], "figure"),
        ("Bookings doubled to $1.24M so far this quarter.", [BOOKINGS], "vague"),
        ("Bookings are not $1.24M so far this quarter.", [BOOKINGS], "vague"),
        ("Bookings are $1.24M so far this quarter because prices rose.", [BOOKINGS], "vague"),
        ("Customers are happy.", [BOOKINGS], "uncited"),
        ("Bookings are $1.24M so far this quarter. Customers are happy.", [BOOKINGS], "uncited"),
        ("Bookings are $1.24M so far this quarter, see https://evil.example.", [BOOKINGS], "markup"),
        ("Bookings are <b>$1.24M</b> so far this quarter.", [BOOKINGS], "markup"),
        ("Bookings are $1.24M so far this quarter.", ["no.such.fact"], "uncited"),
        ("Bookings are \u0661\u0662 so far this quarter.", [BOOKINGS], "figure"),
    ],
)
def test_unsupported_words_are_refused_and_explained(text: str, fact_ids: list[str], kind: str) -> None:
    findings = verify_text(text, FACTS, fact_ids)
    assert kind in {finding.kind for finding in findings}
    assert all(finding.message and text[finding.start : finding.end] for finding in findings)


def test_a_figure_that_another_cited_fact_has_is_explained_with_whose_it_is() -> None:
    findings = verify_text("Contoso pays $28K a month.", FACTS, [PAYS, OTHER_PAYS])
    assert [(finding.kind, finding.expected) for finding in findings] == [("figure", "Northwind Traders")]


def draft_of(text: str) -> Draft:
    return Draft((), (DraftSection("performance", (DraftSentence(text),)),))


@pytest.mark.parametrize(
    "text",
    [
        "Bookings are $1.24M, {{fact:bookings.qtd|direction}} {{fact:bookings.qtd|delta}}.",
        "Bookings are up to {{fact:bookings.qtd}}.",
        "Two deals brought in {{fact:bookings.qtd}}.",
        "Contoso brought in {{fact:bookings.qtd}}.",
        "Initrode brought in {{fact:bookings.qtd}}.",
        "Bookings doubled to {{fact:bookings.qtd}}.",
        "Bookings are {{fact:bookings.qtd}} so far this quarter.",
        "Bookings are {{fact:bookings.qtd}} in March.",
        "Bookings are {{fact:no.such.fact}}.",
        "Bookings are {{fact:bookings.qtd|rank}}.",
        "Bookings are {{fact:bookings.qtd|colour}}.",
        "Bookings are {{fact:bookings.qtd}.",
        "Bookings are fine.",
        "Bookings {{fact:bookings.qtd|direction}} {{fact:mrr.as_of|delta}}.",
    ],
)
def test_drafts_may_hold_no_claim_outside_slots_and_no_unknown_slot(text: str) -> None:
    assert verify_draft(draft_of(text), FACTS)


def test_a_draft_of_slots_and_plain_words_passes() -> None:
    text = "Bookings {{fact:bookings.qtd|moved}} {{fact:bookings.qtd|delta}} to {{fact:bookings.qtd}}."
    assert verify_draft(draft_of(text), FACTS) == []
    assert fill(text, FACTS).text == "Bookings fell $210K to $1.24M."


def test_a_name_that_looks_like_a_slot_is_shown_and_never_filled() -> None:
    facts = sample_facts(rename={"Northwind Traders": "{{fact:mrr.as_of}}"})
    filled = fill(
        "{{fact:mrr.as_of.account.northwind_traders|subject}} pays "
        "{{fact:mrr.as_of.account.northwind_traders}} a month.",
        facts,
    )
    assert "$412K" not in filled.text and "{{" not in filled.text


def test_an_aspect_that_a_fact_lacks_is_an_error_with_a_remedy() -> None:
    with pytest.raises(SlotError, match="has no previous"):
        fill("{{fact:days_to_renewal.as_of.account.contoso|previous}}", FACTS)


def quote(text: str) -> Quote:
    said = datetime(2026, 3, 1, tzinfo=UTC)
    return Quote("q1", text, "gong", "transcripts", "1/2", 0, len(text), said, "customer", "1001")


@pytest.mark.parametrize("marks", ['""', "\u201c\u201d"])
def test_only_what_somebody_said_word_for_word_may_stand_in_quotation_marks(marks: str) -> None:
    said = "The last release fixed our issue."
    text = f"Northwind Traders pays $28K a month: {marks[0]}{said}{marks[1]}"
    assert verify_text(text, FACTS, [PAYS], quotes=[quote(said)]) == []
    assert "quote" in {f.kind for f in verify_text(text, FACTS, [PAYS])}
    changed = text.replace("fixed", "broke")
    assert "quote" in {f.kind for f in verify_text(changed, FACTS, [PAYS], quotes=[quote(said)])}
    assert "quote" in {f.kind for f in verify_text(text[:-1], FACTS, [PAYS], quotes=[quote(said)])}


@pytest.mark.parametrize(
    "text",
    [
        "Bookings are $\uff11.24M so far this quarter.",
        "Bookings are $1.\u0662\u0664M so far this quarter.",
        "Book\u00adings are $1.24M so far this quarter.",
        "Bookings are $1.24M so far this quarter\u200b.",
        "Bookings \ue000 are $1.24M so far this quarter.",
        "\ue001 Bookings are $1.24M so far this quarter.",
        "Bookings are $1.24M\nso far this quarter.",
        "B\u043eokings are $1.24M so far this quarter.",
        "Bookings are other than $1.24M so far this quarter.",
        "Bookings are close to $1.24M so far this quarter.",
        "Bookings are $1.24M per seat so far this quarter.",
        "Bookings are ($1.24M) so far this quarter.",
        "Bookings are +$1.24M so far this quarter.",
        "Bookings are $1.24M at the same point last quarter.",
        "Bookings are $1.24M so far this quarter and the team is late.",
        "Bookings are $1.24M so far this quarter, with more to come.",
        "Bookings are $1.24M so far this quarter, as planned.",
        "Bookings are zw\u00f6lf so far this quarter.",
        "Bookings are douze so far this quarter.",
        "Bookings are a quarter of a million so far this quarter.",
    ],
)
def test_disguised_and_twisted_sentences_are_refused(text: str) -> None:
    assert verify_text(text, FACTS, [BOOKINGS])


def test_a_sentence_under_a_story_that_it_does_not_tell_is_refused() -> None:
    stories = find_stories(FACTS, DAY, {})
    told = next(story for story in stories if story.subject_name == "Northwind Traders")
    other = next(story for story in stories if story.subject_name == "Wingtip Toys")
    text = "Northwind Traders pays $28K a month."
    assert verify_text(text, FACTS, [PAYS], stories=stories, story_id=told.id) == []
    assert verify_text(text, FACTS, [PAYS], stories=stories, story_id=other.id)
    assert verify_text(text, FACTS, [PAYS], stories=stories, story_id="no.such.story")


def test_a_side_of_the_target_and_a_trend_are_held_against_the_fact() -> None:
    request = varied_request(9001)
    bookings = request.facts.total("bookings", "qtd")
    assert bookings is not None and bookings.trend_display and bookings.target_display
    right = target_side(bookings)
    wrong = {"above": "below", "below": "above"}[str(right)]
    text = f"Bookings are {bookings.display} so far this quarter, {{}} the target of {bookings.target_display}."
    assert verify_text(text.format(right), request.facts, [bookings.id]) == []
    assert verify_text(text.format(wrong), request.facts, [bookings.id])
    assert verify_text(f"Bookings show {bookings.trend_display}.", request.facts, [bookings.id]) == []
    assert verify_text("Bookings show an upward trend over 7 months.", request.facts, [bookings.id])


def test_the_sentences_of_language_models_are_many_and_almost_none_is_refused() -> None:
    refused, checked, used = [], 0, set()
    for seed in (9000, 9001):
        request, _ = true_sentences(seed)
        path = Path(request)
        for made in true_prose(request):
            checked += 1
            used.add(made.template)
            refused += [(made.text, finding) for finding in path.findings(made.draft)[:1]]
    assert len(templates()) >= 150 and len(used) >= 150
    assert len(refused) < 0.01 * checked, refused[:5]


def test_no_corrupted_draft_is_published_and_no_true_sentence_refused() -> None:
    tally = corruption.run(300, seed=5)
    assert tally.published == [] and tally.let_through == []
    assert tally.share_refused < 0.01
    assert set(tally.corrupted) == set(corruption.CORRUPTIONS)


def test_a_request_with_thousands_of_facts_and_names_is_checked_in_no_time() -> None:
    facts = [
        make_fact("mrr", "as_of", 1_000 + place, of=("account", str(place), f"Customer {place} of Elsewhere"))
        for place in range(3_000)
    ]
    verifier = Verifier(FactSet(facts))
    started = time.perf_counter()
    for fact in facts[:200]:
        assert verifier.text(f"{fact.subject} pays {fact.display} a month.", [fact.id]) == []
    assert time.perf_counter() - started < 4
