"""Questions and SELECTs in the terminal: what is printed, and what the shell is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sophia_assets.home import Home
from sophia_assets_tests.command_line.commands import Sophia, refused
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.finished_home import copied_home


@pytest.fixture(scope="module")
def sophia(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sophia]:
    """The command line on a copy of the finished home."""
    folder = tmp_path_factory.mktemp("asking")
    with default_settings(folder):
        copied_home(finished_home, folder / "var")
        yield Sophia(folder / "var")


def test_an_answer_is_a_sentence_its_rows_and_where_it_comes_from(sophia: Sophia) -> None:
    done = sophia("ask", "What are bookings this quarter?")
    assert done.exit_code == 0
    assert "Bookings are $" in done.stdout
    assert "From the briefing of 2026-11-20" in done.stdout
    assert "number" not in done.stdout


def test_json_holds_everything_that_was_promised(sophia: Sophia) -> None:
    answer = json.loads(sophia("ask", "Top 3 owners by bookings", "--json").stdout)
    assert {
        "status",
        "type",
        "response",
        "results",
        "insights",
        "citations",
        "caveats",
        "follow_ups",
        "latency_ms",
    } <= (answer.keys())
    assert answer["type"] == "ranking"
    assert len(answer["results"]) == 3


def test_a_conversation_is_told_by_the_questions_before(sophia: Sophia) -> None:
    answer = json.loads(sophia("ask", "by owner?", "--after", "What are bookings this quarter?", "--json").stdout)
    assert (answer["status"], answer["type"]) == ("answered", "breakdown")


@pytest.mark.parametrize(
    ("question", "arguments", "code"),
    [
        ("How many employees left?", (), 11),
        ("What will bookings be next year?", (), 11),
        ("What is MRR?", ("--as", "engineering_leader"), 8),
    ],
)
def test_the_shell_is_told_where_there_is_no_answer(
    sophia: Sophia, question: str, arguments: tuple[str, ...], code: int
) -> None:
    assert sophia("ask", question, *arguments).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("ask", " "), "there is no question"), (("ask", "What is MRR?", "--as", "janitor"), "there is no role")],
)
def test_what_is_no_question_is_refused_in_one_line(sophia: Sophia, arguments: tuple[str, ...], told: str) -> None:
    refused(sophia(*arguments), 2, told)


def test_free_sql_is_off_until_an_operator_switches_it_on(sophia: Sophia) -> None:
    select = ("sql", "select count(*) as calls from marts.calls", "--json")
    refused(sophia(*select), 2, "switched off", "sophia flags set")
    assert sophia("flags", "set", "enable_free_sql", "on", "--reason", "a try").exit_code == 0
    told = json.loads(sophia(*select).stdout)
    assert told["rows"][0]["calls"] > 0
    assert told["note"].startswith("Unverified")
    refused(sophia("sql", "drop table marts.calls"), 2, "not a SELECT")
    refused(sophia(*select, "--as", "sales_leader"), 8, "may not run SQL")


def test_reading_a_briefing_here_is_in_the_audit_trail(sophia: Sophia) -> None:
    assert sophia("briefing", "show", "--as", "sales_leader").exit_code == 0
    newest = json.loads(sophia("audit", "tail", "-n", "1", "--action", "briefing.read", "--json").stdout)
    assert "sales_leader" in json.dumps(newest)
