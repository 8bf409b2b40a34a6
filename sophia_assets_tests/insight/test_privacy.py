"""Personal data and secrets are found by their form, and business figures are not taken for them."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from sophia_assets.insight.privacy import personal_data

SENTENCES = Path(__file__).parents[3] / "shared" / "evals" / "pii_sentences_small.json"
KINDS = {
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "payment_card",
    "US_SSN": "national_id",
    "IP_ADDRESS": "ip_address",
    "EMAIL_ADDRESS": "email",
    "DOMAIN_NAME": "link",
}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ada.lovelace@example.org today", "email"),
        ("ada [at] example.org", "email"),
        ("Call +44 20 7946 0958", "phone"),
        ("or (020) 7946-0958 x12", "phone"),
        ("4111 1111 1111 1111", "payment_card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("531-21-7351", "national_id"),
        ("AB 12 34 56 C", "national_id"),
        ("RSSMRA85T10A562S", "national_id"),
        ("12345678Z", "national_id"),
        ("from 192.168.3.17 today", "ip_address"),
        ("2001:db8:85a3::8a2e:370:7334", "ip_address"),
        ("221B Baker Street", "postal_address"),
        ("Ziegelgasse 26", "postal_address"),
        ("12 rue de Rivoli", "postal_address"),
        ("sk-" + "a1B2" * 8, "secret"),
        ("AKIAIOSFODNN7EXAMPLE", "secret"),
        ("postgres://app:hunter2@db.example/main", "secret"),
        ("password: hunter2!", "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "secret"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "secret"),
    ],
)
def test_what_has_a_form_is_found(text: str, kind: str) -> None:
    found = personal_data(text)
    assert kind in {span.kind for span in found}
    assert all(text[span.start : span.end] == span.text for span in found)


@pytest.mark.parametrize(
    "text",
    [
        "Bookings are $1,243,600 so far this quarter, down $210K from the same point last quarter.",
        "The win rate is 41.1%, down 5.4 points, with 46 deals won and 66 lost.",
        "On 20 March 2026, use of the product came to 412,730 actions.",
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 01",
        "Version 26.37.0 is live.",
        "It ran from 2026-03-20 to 2026-04-20.",
        "We asked for a token of good will.",
    ],
)
def test_business_figures_are_not_taken_for_personal_data(text: str) -> None:
    assert personal_data(text) == []


@pytest.mark.parametrize("piece", ["a", "1 ", "1-", "@", "a.", "(1", ":", "street ", "http://a:", "token ", "AB12 "])
def test_hostile_text_costs_no_time(piece: str) -> None:
    started = time.process_time()
    personal_data(piece * (20_000 // len(piece)))
    assert time.process_time() - started < 1


def test_labelled_sentences_of_the_public_set_are_found_by_type() -> None:
    if not SENTENCES.is_file():
        pytest.skip("the public sentences with labelled personal data are not beside this repository")
    total: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    foreign = []
    for sentence in json.loads(SENTENCES.read_text(encoding="utf-8")):
        found = personal_data(sentence["full_text"])
        labels = [(s["entity_type"], s["start_position"], s["end_position"]) for s in sentence["spans"]]
        for kind, start, end in labels:
            total[kind] += 1
            hits[kind] += any(f.kind == KINDS.get(kind, f.kind) and f.start < end and f.end > start for f in found)
        foreign += [f for f in found if not any(f.start < end and f.end > start for _, start, end in labels)]
    assert {kind: hits[kind] / total[kind] for kind in KINDS} == dict.fromkeys(KINDS, 1.0)
    # House numbers and post codes by themselves have no form.
    assert hits["ADDRESS"] / total["ADDRESS"] >= 0.5
    assert foreign == []
