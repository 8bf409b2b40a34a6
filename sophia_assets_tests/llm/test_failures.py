"""What vendors' words and headers mean, beyond what a whole call shows."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.llm.failures import LONGEST_RETRY_AFTER, broken_off, refused, seconds_to_wait
from sophia_assets.llm.interface import FailureKind

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "rubbish", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "1e300"}, LONGEST_RETRY_AFTER),
        ({"retry-after": "86400"}, LONGEST_RETRY_AFTER),
        (
            {"retry-after": format_datetime(NOON + timedelta(seconds=90), usegmt=True), "date": format_datetime(NOON)},
            90.0,
        ),
        ({"retry-after": format_datetime(NOON - timedelta(1), usegmt=True), "date": format_datetime(NOON)}, 0.0),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3600.0),
        ({"x-ratelimit-reset-tokens": "17"}, 17.0),
        ({"x-ratelimit-reset-tokens": "a while"}, None),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "2s"}, 360.0),
        (
            {
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "4000",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-requests": "0",
            },
            2.0,
        ),
        ({"retry-after": "4", "x-ratelimit-reset-tokens": "6m0s"}, 4.0),
        ({"anthropic-ratelimit-tokens-reset": "2001-01-01T00:00:00Z"}, 0.0),
        ({"anthropic-ratelimit-tokens-reset": "whenever"}, None),
    ],
)
def test_how_long_a_vendor_wants_to_be_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds_to_wait(headers) == (pytest.approx(seconds) if seconds is not None else None)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "retry-after",
                "retry-after-ms",
                "date",
                "x-ratelimit-reset-requests",
                "x-ratelimit-reset-tokens",
                "anthropic-ratelimit-requests-reset",
            ]
        ),
        st.one_of(st.text(max_size=20), st.text(string.digits + ":.-TZhms", max_size=25)),
    )
)
def test_no_header_is_slept_through_or_breaks_anything(headers: dict[str, str]) -> None:
    seconds = seconds_to_wait(headers)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


@given(
    st.integers(300, 599),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=80), st.dictionaries(st.text(), st.text()))),
    st.one_of(st.none(), st.text(), st.integers()),
)
def test_whatever_a_vendor_says_is_told_in_words_of_ours(status: int, words: list[object], message: object) -> None:
    fault = refused(status, words, message, {})
    assert isinstance(fault.kind, FailureKind)
    assert fault.told.startswith(f"answered {status}")
    assert not any(isinstance(word, str) and not word.isascii() and word in fault.told for word in words)
    assert isinstance(broken_off(words, message).kind, FailureKind)


@pytest.mark.parametrize("secret", ["sk-ant-api03-AbC", "sk_live_0123", "Ada Lovelace", "x" * 61, "rate limit\nAuthor"])
def test_what_is_no_vendors_word_is_left_out(secret: str) -> None:
    assert refused(429, [secret], secret, {}).told == "answered 429"


def test_the_more_telling_word_counts() -> None:
    assert refused(429, ["insufficient_quota", "rate_limit_error"], "", {}).kind is FailureKind.QUOTA
    assert refused(400, ["context_length_exceeded", "invalid_request_error"], "", {}).kind is (
        FailureKind.CONTEXT_OVERFLOW
    )


def test_a_message_about_length_means_nothing_where_the_vendor_itself_has_failed() -> None:
    assert refused(500, [], "the context window service crashed", {}).kind is FailureKind.SERVER_ERROR
