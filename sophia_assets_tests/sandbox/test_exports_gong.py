"""Gong's own answers, saved as files, become the company that gave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import GongData
from sophia_assets.sandbox.exports import load_exports
from sophia_assets_tests.sandbox.clients import Client

SELECTED = {"context": "Extended", "exposedFields": {"parties": True, "content": {"trackers": True}}}
POSTED: dict[str, tuple[str, dict[str, Any]]] = {
    "extensive": ("/v2/calls/extensive", {"filter": {}, "contentSelector": SELECTED}),
    "transcript": ("/v2/calls/transcript", {"filter": {}}),
    "reviews": ("/v2/stats/activity/scorecards", {"filter": {}}),
}


@pytest.fixture
def answers(gong: Client) -> dict[str, list[Any]]:
    """What Gong answers to whoever saves everything, page by page."""
    found: dict[str, list[Any]] = {}
    for name, (path, body) in POSTED.items():
        asked: dict[str, Any] = dict(body)
        found[name] = [gong.post(path, json=asked).json()]
        while cursor := found[name][-1]["records"].get("cursor"):
            found[name].append(gong.post(path, json={**asked, "cursor": cursor}).json())
    for name in ("users", "calls", "settings/scorecards"):
        found[name.rpartition("/")[2]] = [gong.get(f"/v2/{name}").json()]
    return found


def _lines(values: list[Any]) -> str:
    return "\n".join(json.dumps(value) for value in values)


def _singly(pages: list[Any]) -> str:
    key = next(name for name, value in pages[0].items() if isinstance(value, list))
    return _lines([item for page in pages for item in page[key]])


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("json", json.dumps), ("jsonl", _lines), ("jsonl", _singly)],
    ids=["a list of pages", "a page per line", "an item per line"],
)
def test_saved_answers_are_the_company_that_gave_them(
    answers: dict[str, list[Any]], tmp_path: Path, suffix: str, write: Callable[[list[Any]], str]
) -> None:
    (tmp_path / "gong").mkdir()
    for name, pages in answers.items():
        (tmp_path / "gong" / f"saved-{name}.{suffix}").write_text(write(pages), "utf-8")
    found = load_exports(tmp_path, timezone="UTC").gong
    assert isinstance(found, GongData)

    first = found.calls[3]
    assert (len(found.calls), len(found.users), len(found.reviews)) == (250, 2, 50)
    assert (first.title, first.account_id, first.account_name, first.deal_id) == ("Call 3", "100", "Company 0", "5004")
    assert first.trackers == {"Competitor: Rivalry": 2, "Pricing": 1}
    assert [party["name"] for party in first.parties] == ["Una Seller", "Gus Buyer"]
    assert [sentence[4] for sentence in first.sentences] == ["Hello there.", "How are you?", "Fine."]
    assert [card.name for card in found.scorecards] == ["Sales call"]
    assert found.reviews[0].answers == {"7101": 4, "7102": "It was short."}


def test_answers_may_lie_beside_other_files_that_are_nobodys(answers: dict[str, list[Any]], tmp_path: Path) -> None:
    (tmp_path / "calls.json").write_text(json.dumps(answers["calls"][0]), "utf-8")
    (tmp_path / "package.json").write_text('{"name": "something else"}', "utf-8")
    (tmp_path / "broken.json").write_text("{", "utf-8")
    found = load_exports(tmp_path, timezone="Europe/Berlin").gong

    assert found and (len(found.calls), found.timezone) == (100, "Europe/Berlin")


def test_a_file_of_gongs_that_is_not_json_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "gong").mkdir()
    (tmp_path / "gong" / "calls.json").write_text('{"calls": []}\n{"calls": [', "utf-8")

    with pytest.raises(ConfigurationError, match=r"gong/calls\.json, line 2 is not JSON"):
        load_exports(tmp_path, timezone="UTC")
