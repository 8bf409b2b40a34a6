"""The job that answers a question from the UI, through the assistant and under a role like every other reader."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import EXECUTIVE, role_named
from sophia_assets.assistant.interface import Answer, Question, answer_as_json
from sophia_assets.control.operating import login_name
from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.launching import NO_RETRIES
from sophia_assets.orchestration.withheld import without_content

QUESTION_JOB = "question_job"
CONTENT = ("response", "understood_as", "results", "evidence", "insights", "caveats", "follow_ups")


class QuestionConfig(dg.Config):
    """A question, the role that it is asked in (what the role may not see is not answered), and the questions before.

    `conversation` holds the earlier questions of the same conversation, oldest first, so that "and last month?" has
    something to refer to.
    """

    question: str
    role: str = EXECUTIVE
    conversation: list[str] = []  # noqa: RUF012 - Dagster's configuration copies it


@dg.resource(
    required_resource_keys={"services"},
    description="Answers questions from the metric catalog, the newest briefing and the modelled data.",
)
def assistant_resource(context: dg.InitResourceContext) -> Any:
    """The assistant of the run's services, which close it, behind the desk that knows whether data may be read."""
    from sophia_assets.desk import Desk

    return Desk(context.resources.services)


@dg.op(
    name="answer_question",
    description="Answers one question; the answer, what it rests on and how long it took are in the metadata.",
    # Nothing reads the answer after the run: it is in the metadata, and kept nowhere else.
    out=dg.Out(
        dict,
        io_manager_key="kept_in_memory",
        description="The answer as JSON: status, response, results, citations, caveats, follow-ups.",
    ),
)
def answer_question(
    context: dg.OpExecutionContext,
    config: QuestionConfig,
    assistant: dg.ResourceParam[Any],
    services: dg.ResourceParam[Any],
) -> dict[str, Any]:
    """Asks the assistant as the role that the configuration names. With encryption on, only how it went is kept."""
    try:
        principal = Principal(_asked_by(context), role_named(config.role).name, "op")
    except SophiaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    answer = assistant.ask(Question(config.question, principal, tuple(config.conversation)))
    if services.vault.is_on:
        context.log.info(answer.status)
        instead = "Ask with `sophia ask`, or in the reader; a question asked here stays in the run's configuration."
        context.add_output_metadata(without_content(services.vault, _shown(answer), *CONTENT, instead=instead))
        return {"status": answer.status}
    context.log.info(f"{answer.status}: {answer.response}")
    context.add_output_metadata(_shown(answer))
    return answer_as_json(answer)


def _asked_by(context: dg.OpExecutionContext) -> str:
    """Who launched the run, as far as Dagster knows; else whoever runs Dagster."""
    return context.run.tags.get("user") or context.run.tags.get("dagster/user") or login_name()


def _shown(answer: Answer) -> Mapping[str, Any]:
    """The answer as a data engineer reads it in the UI."""
    metadata: dict[str, Any] = {
        "status": answer.status,
        "type": answer.type,
        "response": dg.MetadataValue.md(_escaped(answer.response)),
        "answered_from": answer.answered_from or "nothing",
        "writer": answer.writer,
        "latency_ms": dg.MetadataValue.float(answer.latency_ms),
        "was_cached": answer.is_cached,
        "understood_as": dg.MetadataValue.json(dict(answer.echo)),
    }
    if answer.results:
        metadata["results"] = dg.MetadataValue.md(_table(answer.results))
    if answer.citations:
        rows = [
            {
                "figure": each.label,
                "value": each.display,
                "period": each.period,
                "from": ", ".join(each.sources),
                "data as of (UTC)": each.as_of or "",
                "query": each.query_hash,
            }
            for each in answer.citations
        ]
        metadata["evidence"] = dg.MetadataValue.md(_table(rows))
    for name in ("insights", "caveats", "follow_ups"):
        lines: Sequence[str] = getattr(answer, name)
        if lines:
            metadata[name] = dg.MetadataValue.md("\n".join(f"- {_escaped(line)}" for line in lines))
    return metadata


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    from sophia_assets.insight.rendering.markdown import markdown_table

    columns = [column for column in rows[0] if column != "number"]
    cells = [["" if row.get(name) is None else str(row[name]) for name in columns] for row in rows]
    return "\n".join(markdown_table(columns, cells))


def _escaped(text: str) -> str:
    """Text of the systems in Markdown: shown as it is, never active."""
    from sophia_assets.insight.rendering.markdown import escape

    return escape(text)


@dg.job(
    name=QUESTION_JOB,
    description=(
        "Answers a question such as `Top deals this quarter`, from the same facts as the briefings, in the role that "
        "is given. What the data cannot answer is said, not guessed."
    ),
    tags=NO_RETRIES,
)
def question_job() -> None:
    """See the description."""
    answer_question()
