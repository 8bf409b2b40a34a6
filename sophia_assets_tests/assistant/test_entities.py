"""Names in questions: whole, in part, mistyped, shared, unknown, and out of a reader's sight."""

from __future__ import annotations

import pytest

from sophia_assets.access.principal import RowScope
from sophia_assets_tests.assistant.small_ground import read, unread


def _names(question: str) -> dict[str, tuple[str, ...]]:
    return {each.dimension: each.names for each in read(question).filters}


@pytest.mark.parametrize(
    "said",
    ["Acme Tooling Ltd", "acme tooling", "ACME", "Acme's", "Acme Toolng", '"Acme"', "the customer Acme"],
)
def test_an_account_is_found_however_it_is_written(said: str) -> None:
    assert _names(f"open bugs of {said}") == {"account": ("Acme Tooling Ltd",)}


@pytest.mark.parametrize("said", ["Müller Logistics", "muller logistics", "Mueller", "MÜLLER"])
def test_accents_do_not_matter(said: str) -> None:
    assert _names(f"MRR of {said}") == {"account": ("Müller Logistics, Inc.",)}


@pytest.mark.parametrize("said", ["Globex & Sons", "Globex and Sons", "globex"])
def test_signs_between_words_do_not_matter(said: str) -> None:
    assert _names(f"MRR of {said}") == {"account": ("Globex & Sons GmbH",)}


def test_part_of_a_name_is_said_with_the_answer() -> None:
    assert "“Acme” is taken as Acme Tooling Ltd." in read("MRR of Acme").assumptions


def test_a_name_of_several_is_asked_back_with_whole_questions() -> None:
    found = unread("bookings of Agnes this quarter")
    assert found.status == "clarify"
    assert found.choices == (
        "bookings of Agnes Adeyemi this quarter",
        "bookings of Agnes Holt this quarter",
    )
    assert read(found.choices[0]).filters[0].ids == ("11",)


def test_an_everyday_word_of_a_name_is_no_name_unless_it_is_written_like_one() -> None:
    assert unread("global bookings").status in ("abstained", "clarify")
    assert _names("bookings of Global Foods") == {"account": ("Global Foods",)}


def test_a_deal_is_narrowed_to_by_its_whole_name_only() -> None:
    assert _names("bookings of Acme Tooling Ltd - Report pack") == {"deal": ("Acme Tooling Ltd - Report pack",)}


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("how many bugs does the Platform team have open", {"team": ("Platform",)}),
        ("MRR on the Team plan", {"plan": ("Team",)}),
        ("pipeline in the proposal stage", {"stage": ("Proposal",)}),
        ("bookings in telecom", {"industry": ("Telecommunications",)}),
        ("how many conversations were about pricing", {"topic": ("Pricing",)}),
        ("calls mentioning vantarro", {"competitor": ("Vantarro",)}),
    ],
)
def test_common_words_are_names_where_the_metric_has_them(question: str, names: dict[str, tuple[str, ...]]) -> None:
    assert _names(question) == names


@pytest.mark.parametrize("words", ["without Joel Fischer", "excluding Joel", "except for Joel", "of everyone but Joel"])
def test_a_name_can_be_left_out(words: str) -> None:
    (only,) = read(f"bookings {words}").filters
    assert (only.names, only.is_excluded) == (("Joel Fischer",), True)


@pytest.mark.parametrize("said", ["Initech", '"blue ocean"', "Agnes Smith", "Acme Robotics", "acme zebra"])
def test_a_name_that_nothing_has_is_never_passed_over(said: str) -> None:
    assert unread(f"bookings of {said}").status in ("abstained", "clarify")


def test_a_name_that_nothing_has_is_answered_with_those_like_it() -> None:
    found = unread("bookings of Swan")
    assert found.status == "clarify"
    assert set(found.choices) == {"bookings of Swangate Tooling GmbH", "bookings of Swanbank Markets, Inc."}


def test_a_name_that_the_metric_is_not_known_by_is_told_with_what_it_is_known_by() -> None:
    found = unread("MRR in Germany")
    assert "not known by country" in found.reason
    assert "account and plan" in found.reason


def test_a_reader_limited_to_some_accounts_does_not_hear_of_others() -> None:
    own = RowScope({"owner": frozenset({"11"})})
    for said in ("Swangate Tooling GmbH", "Swangate", "Swangat"):
        found = unread(f"MRR of {said}", rows=own)
        assert "Tooling GmbH" not in found.reason.replace(said, "")
        assert all("Swangate" not in choice for choice in found.choices)
    assert (
        unread("MRR of Initech", rows=own).reason.replace("Initech", "Swangate")
        == unread("MRR of Swangate", rows=own).reason
    )
