"""`sophia ask`: a question, answered in the terminal. What it needs is imported only when it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.access.roles import EXECUTIVE, role_named
from sophia_assets.control.operating import json_option, login_name, opened_services
from sophia_assets.errors import ConfigurationError
from sophia_assets.plain_text import visible

if TYPE_CHECKING:
    from sophia_assets.assistant.interface import Answer

_MOST_ROWS = 20
_WIDEST_CELL = 48
#: What the shell is told: only an answer is a success.
EXIT_CODES = {"answered": 0, "clarify": 11, "abstained": 11, "denied": 8}


@click.command("ask")
@click.argument("question")
@click.option("--as", "role", metavar="ROLE", default=EXECUTIVE, show_default=True, help="As whom.")
@click.option("--after", "earlier", multiple=True, metavar="QUESTION", help="An earlier question; repeatable.")
@json_option
def ask(question: str, role: str, earlier: tuple[str, ...], as_json: bool) -> None:
    """Answer a question from the data: `sophia ask "What are bookings this quarter?"`.

    Ends with 11 where the data cannot answer or the question has to be made clearer, with 8 where the role may not see
    what is asked for.
    """
    from sophia_assets.access.principal import Principal
    from sophia_assets.assistant.assistant import UNRECORDED
    from sophia_assets.assistant.interface import Question, answer_as_json
    from sophia_assets.desk import Desk

    if not question.strip():
        raise ConfigurationError("there is no question", remedy='Ask one: sophia ask "How is the pipeline?"')
    principal = Principal(login_name(), role_named(role).name, "cli")
    with opened_services() as services:
        answer = Desk(services).ask(Question(question, principal, earlier))
        if answer.type == UNRECORDED:
            # Here the reason may be told, and what an operator can do about it.
            services.audit.record(principal, "ask", "question", "failed")
    if as_json:
        click.echo(json.dumps(answer_as_json(answer), indent=1, ensure_ascii=False))
    else:
        for line in _lines(answer):
            click.echo(line)
    sys.exit(EXIT_CODES[answer.status])


def _lines(answer: Answer) -> Iterator[str]:
    """The answer as it is read: the sentence, the rows, what else is seen, what it rests on, what to be careful of."""
    if understood := _understood(answer):
        yield click.style(understood, dim=True)
    yield click.style(visible(answer.response), bold=answer.status == "answered")
    if answer.results:
        yield ""
        yield from table_lines(answer.results)
    for title, lines in (("", answer.insights), ("Caveats", answer.caveats), ("You may ask", answer.follow_ups)):
        if lines:
            yield ""
            if title:
                yield f"{title}:"
            yield from (f"  {visible(line)}" for line in lines)
    if answer.answered_from:
        sources = sorted({source for citation in answer.citations for source in citation.sources})
        yield ""
        yield (
            f"From the {answer.answered_from}"
            + (f" ({', '.join(sources)})" if sources else "")
            + (f", {answer.latency_ms:.0f} ms")
        )


def _understood(answer: Answer) -> str:
    """What was understood: the metrics by their names, and the period."""
    labels = [str(metric["label"]) for metric in answer.echo.get("metrics", ())]
    period = answer.echo.get("period") or {}
    return visible(", ".join([*labels, *([str(period["label"])] if labels and period.get("label") else [])]))


def table_lines(rows: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Rows as aligned columns; cells are cut, and of many rows only the first are shown."""
    # The raw number stands beside its figure for programs.
    columns = [column for column in rows[0] if column != "number"]
    cells = [[_cell(row.get(column)) for column in columns] for row in rows[:_MOST_ROWS]]
    heads = [_cell(column.replace("_", " ")) for column in columns]
    widths = [max(len(head), *(len(row[place]) for row in cells)) for place, head in enumerate(heads)]
    for row in [heads, *cells]:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if len(rows) > _MOST_ROWS:
        yield f"  and {len(rows) - _MOST_ROWS} more (--json has all of them)"


def _cell(value: Any) -> str:
    # What others wrote must not be obeyed by a terminal.
    text = "" if value is None else " ".join(visible(str(value)).split())
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 3] + "..."
