"""Tokens are counted here, exactly for one vendor and safely for the other, whatever the text is."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from sophia_assets.control.schema import llm_calibrations
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.tokens import UNKNOWN_FACTOR, Calibration, count_output, count_prompt, count_text
from sophia_assets_tests.llm.prompts import PROMPT, prompt

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CLAUDE, GPT = "claude-sonnet-5-5", "gpt-5.5"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello", 1), ("hello world", 2), ("12345678", 3), (" ", 1), ("Zürich", 3)],
)
def test_a_text_has_as_many_tokens_as_the_vocabulary_says(text: str, tokens: int) -> None:
    assert count_text(text, GPT) == tokens


def test_older_models_have_the_older_vocabulary_and_unknown_ones_the_newest() -> None:
    text = "Привет, как дела?"
    newest, older = count_text(text, "some-model-of-tomorrow"), count_text(text, "gpt-4")

    assert newest < older
    assert {count_text(text, model) for model in ("gpt-4o-mini", "gpt-4.1", GPT, CLAUDE, "")} == {newest}
    assert {count_text(text, model) for model in ("gpt-4-0613", "gpt-3.5-turbo", "ft:gpt-4:acme", "GPT-4")} == {older}


def test_special_tokens_in_a_text_are_only_text() -> None:
    assert count_text("<|endoftext|>", GPT) > 3
    assert count_text("<|im_start|>system", GPT) > 3


@pytest.mark.parametrize(
    "text",
    ["a", " ", "\n", "\x00", "a1", "é", "😀", "中", "\ud800", "\u200b", "<|endoftext|>", "$1.24M|", "'", "\r\n "],
)
@pytest.mark.parametrize("model", [GPT, "gpt-4"])
def test_no_text_takes_long_to_count(text: str, model: str) -> None:
    count_text("warm", model)
    long = text * (200_000 // len(text))
    began = time.process_time()
    counted = count_text(long, model)

    assert time.process_time() - began < 2.0
    assert 0 < counted <= len(long.encode("utf-8", "surrogatepass"))


def test_a_text_beyond_the_library_s_limits_is_counted_in_pieces() -> None:
    piece = "The deal moved to the next stage. " * 1_000
    assert count_text(piece * 60, GPT) == pytest.approx(60 * count_text(piece, GPT), rel=0.001)


def test_a_prompt_for_openai_is_its_texts_its_schema_and_what_frames_them() -> None:
    schema = (
        '{"type":"object","properties":{"text":{"type":"string"},"score":{"type":"integer"}},'
        '"required":["text","score"],"additionalProperties":false}'
    )
    texts = sum(count_text(text, GPT) for text in (PROMPT.system, PROMPT.user, schema))

    assert count_prompt(PROMPT, "openai", GPT) == texts + 3 + 3 + 3


def test_claude_s_count_is_rather_too_high_before_anything_is_known() -> None:
    plain = count_prompt(PROMPT, "openai", GPT)

    assert plain * UNKNOWN_FACTOR <= count_prompt(PROMPT, "anthropic", CLAUDE) <= plain * UNKNOWN_FACTOR + 1
    assert count_output("twelve words", "anthropic", CLAUDE) > count_output("twelve words", "openai", GPT)


def learn(calibration: Calibration, store: ControlStore, *ratios: float, model: str = CLAUDE) -> None:
    plain = count_prompt(PROMPT, "openai", model)
    for ratio in ratios:
        with store.transaction() as connection:
            calibration.learn(connection, PROMPT, "anthropic", model, round(plain * ratio), NOW)


def test_claude_s_count_follows_what_its_calls_really_used(store: ControlStore) -> None:
    calibration = Calibration(store)
    learn(calibration, store, 1.15, 1.15)
    assert calibration.factor("anthropic", CLAUDE) == UNKNOWN_FACTOR
    learn(calibration, store, 1.15)

    actual = count_prompt(PROMPT, "openai", CLAUDE) * 1.15
    assert actual <= count_prompt(PROMPT, "anthropic", CLAUDE, calibration) <= actual * 1.06
    assert calibration.factor("anthropic", "claude-opus-4-1") == UNKNOWN_FACTOR


def test_a_few_lies_move_the_count_by_little_and_none_beyond_the_bounds(store: ControlStore) -> None:
    calibration = Calibration(store)
    learn(calibration, store, *[1.2] * 6, 50.0, 0.001)
    assert 1.15 <= calibration.factor("anthropic", CLAUDE) <= 1.3
    learn(calibration, store, *[1000.0] * 30)
    assert calibration.factor("anthropic", CLAUDE) == 2.0
    learn(calibration, store, *[0.01] * 30)
    assert calibration.factor("anthropic", CLAUDE) == pytest.approx(0.8, abs=0.02)


def test_the_sandbox_s_models_are_learnt_apart_from_the_real_ones(store: ControlStore) -> None:
    learn(Calibration(store, simulated={"anthropic"}), store, *[1.0] * 5)

    assert Calibration(store).factor("anthropic", CLAUDE) == UNKNOWN_FACTOR
    assert Calibration(store).factor("anthropic", f"{CLAUDE}-sandbox") < 1.1


@pytest.mark.parametrize("torn", ["", "[1.1, 1.", '{"a": 1}', '["x", null, 1.1]', "[NaN, 1e999]", "null"])
def test_what_was_learnt_and_is_torn_counts_as_nothing(store: ControlStore, torn: str) -> None:
    with store.transaction() as connection:
        row = {"model": f"anthropic/{CLAUDE}", "ratios": torn, "learnt_at": NOW}
        connection.execute(llm_calibrations.insert().values(row))
    calibration = Calibration(store)
    assert calibration.factor("anthropic", CLAUDE) == UNKNOWN_FACTOR
    learn(calibration, store, 1.2, 1.2, 1.2)
    assert calibration.factor("anthropic", CLAUDE) == pytest.approx(1.22, abs=0.03)


def test_a_store_that_cannot_be_read_leaves_the_careful_count() -> None:
    unreachable = ControlStore("postgresql://me:s3cret@127.0.0.1:9/control", wait_seconds=0.2)

    assert Calibration(unreachable).factor("anthropic", CLAUDE) == UNKNOWN_FACTOR


def test_lone_surrogates_and_read_only_schemas_are_counted() -> None:
    from types import MappingProxyType

    assert count_prompt(prompt(user="a\ud800b", schema=MappingProxyType({"a\udfff": 1})), "openai", GPT) > 9


def test_importing_the_counter_and_the_prices_loads_no_tables() -> None:
    code = (
        "import sys, sophia_assets.llm.usage, sophia_assets.llm.answers, sophia_assets.llm.usage_commands;"
        "heavy = ('bpe_openai', 'genai_prices', 'openai', 'anthropic', 'dagster');"
        "print([name for name in heavy if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
