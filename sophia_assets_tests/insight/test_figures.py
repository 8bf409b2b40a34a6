"""Figures are read rightly in every form in which reports write them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sophia_assets.insight.figures import find_figures

TABLES = Path(__file__).parents[3] / "shared" / "evals" / "tatqa_test_gold.json"
_CELL = re.compile(r"\$?\s?\(?\$?\s?\d[\d,]*(?:\.\d+)?\)?\s?%?\)?")


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("$1.24M", 1_240_000, "usd"),
        ("$ 6,577", 6_577, "usd"),
        ("$0.5 million", 500_000, "usd"),
        ("(3.1)", -3.1, "number"),
        ("$(3.1)", -3.1, "usd"),
        ("($3.1)", -3.1, "usd"),
        ("(15)%", -15, "percent"),
        ("(15%)", -15, "percent"),
        ("\u22124.5%", -4.5, "percent"),
        ("12.8 per cent", 12.8, "percent"),
        ("5.4 percentage points", 5.4, "points"),
        ("34 days", 34, "days"),
        ("2.5 billion", 2_500_000_000, "number"),
        ("thirty-five days", 35, "days"),
    ],
)
def test_numbers_scales_units_and_signs(text: str, number: float, unit: str) -> None:
    (figure,) = find_figures(text)
    assert figure.number == pytest.approx(number) and figure.unit == unit and figure.text == text


def test_brackets_behind_another_figure_are_an_aside() -> None:
    assert [figure.number for figure in find_figures("down $28K (2.0%)")] == [28_000, 2.0]


def test_the_cells_of_real_financial_tables_are_read_rightly() -> None:
    if not TABLES.is_file():
        pytest.skip("the public tables of TAT-QA are not beside this repository")
    cells = {
        cell.strip()
        for page in json.loads(TABLES.read_text(encoding="utf-8"))
        for row in page["table"]["table"]
        for cell in row
    }
    wrong, checked = [], 0
    for cell in sorted(cell for cell in cells if _CELL.fullmatch(cell) and cell.count("(") == cell.count(")")):
        checked += 1
        number = float(re.sub(r"[^\d.]", "", cell)) * (-1 if "(" in cell else 1)
        unit = "usd" if "$" in cell else "percent" if "%" in cell else "number"
        figures = find_figures(cell)
        if len(figures) != 1 or abs(figures[0].number - number) > 1e-6 or figures[0].unit != unit:
            wrong.append((cell, figures))
    assert checked > 2_000
    assert wrong == []


def test_answers_with_a_scale_are_read_in_it() -> None:
    if not TABLES.is_file():
        pytest.skip("the public questions of TAT-QA are not beside this repository")
    scales = {"thousand": 1e3, "million": 1e6, "percent": 1.0}
    checked = 0
    for page in json.loads(TABLES.read_text(encoding="utf-8")):
        for question in page["questions"]:
            scale = question["scale"]
            for answer in question["answer"] if isinstance(question["answer"], list) else []:
                if scale not in scales or not re.fullmatch(r"[\d,]+(?:\.\d+)?", str(answer)):
                    continue
                (figure,) = find_figures(f"{answer} {scale}")
                checked += 1
                assert figure.number == pytest.approx(float(str(answer).replace(",", "")) * scales[scale])
                assert figure.unit == ("percent" if scale == "percent" else "number")
    assert checked > 50
