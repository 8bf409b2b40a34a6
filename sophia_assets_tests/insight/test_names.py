"""Names that people typed are shown so that nobody, and no code, takes them for words of the sentence around them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.mentions import Reader
from sophia_assets.insight.names import MAX_NAME_LENGTH, safe_line, safe_name, with_safe_names
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.insight.sample_facts import make_fact, sample_request

ATTACKS = "of\u201c\u201d\"' .,;{}@w:/$9M%a\u2026\u200d\u0301\u202ehtp"
POISON = [
    ",",
    ".",
    "1",
    "46",
    "a",
    "in",
    "of",
    "up",
    "We",
    "The team",
    "which",
    "fell",
    "likely",
    "in the last 30 days",
    "so far this quarter",
    "Friday 27 March",
    "$1.24M",
    "Contoso, which will leave",
    "Contoso. Sales doubled",
    "\u201cof\u201d",
]


@pytest.mark.parametrize(
    "name",
    [
        "Fernhill Coatings, Inc.",
        "Litware & Sons (EMEA)",
        "Acme Co., Ltd.",
        "3M",
        "Studio 54",
        "St. Gallen Foods",
        "Dr. Oetker",
        "Sam O'Connor",
        "Woodgrove Bank: branch rollout",
        "S\u00f6der Health - Marrowfen Hub enterprise rollout",
        "Route 66 European Foods",
        "Churn risk",
        "\u201cContoso\u201d",
        "unassigned",
        "\u682a\u5f0f\u4f1a\u793e",
    ],
)
def test_a_name_that_can_only_be_a_name_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize("name", [*POISON, "Contoso platform at $9.9M", "Bookings fell", "10 percent off"])
def test_a_name_that_could_be_prose_stands_in_quotation_marks(name: str) -> None:
    bare = name.strip("\u201c\u201d")
    assert safe_name(name) == safe_name(bare) == f"\u201c{bare}\u201d"


@given(st.one_of(st.text(max_size=90), st.text(alphabet=ATTACKS, max_size=90)))
@example("@")
@example("{{{{x}}}}")
@example("of\u201d and \u201cup")
@example("a" * 60 + "@b")
def test_what_is_safe_stays_as_it_is_and_fits(name: str) -> None:
    shown = safe_name(name)
    assert safe_name(shown) == shown and safe_line(safe_line(name)) == safe_line(name)
    assert 0 < len(shown) <= MAX_NAME_LENGTH and "{{" not in shown and "://" not in shown and "\n" not in shown


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_name_costs_no_sentence_and_brings_none_in(name: str) -> None:
    plain = build_briefing(sample_request(), OfflineWriter())
    poisoned = build_briefing(sample_request(rename={"Contoso": name}), OfflineWriter())
    assert len(poisoned.sentences()) >= len(plain.sentences()) - 3
    told = [sentence.text for sentence in plain.sentences() if "Contoso" in sentence.text]
    shown = [sentence.text for sentence in poisoned.sentences() if safe_name(name) in sentence.text]
    assert told and len(shown) >= len(told) - 1
    assert poisoned.bottom_line_text.count(".") >= 1


def test_a_name_in_quotation_marks_is_read_as_one() -> None:
    fact = replace(make_fact("mrr", "as_of", 28_000.0, None), dimensions={"account": "of"})
    reader = Reader(FactSet([fact]))
    reading = reader.read("Recurring revenue of \u201cof\u201d is $28K; that is \u201cof\u201d's best.")
    assert [span.text for span in reading.names] == ["\u201cof\u201d", "\u201cof\u201d"]


def test_ids_and_the_steps_of_a_pipeline_keep_their_form() -> None:
    fact = replace(
        make_fact("mrr", "as_of", 28_000.0, None),
        dimensions={"account": "of", "stage": "Proposal"},
        entity_ids={"account": "7"},
    )
    (safe,) = with_safe_names(FactSet([fact]))
    assert safe.entity_ids == {"account": "7"}
    assert safe.dimensions == {"account": "\u201cof\u201d", "stage": "Proposal"}
