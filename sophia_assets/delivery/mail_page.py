"""The HTML of an e-mail: mail programs drop style sheets, scripts and drawings, so it has none and needs none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sophia_assets.delivery.message import Message
from sophia_assets.insight.names import safe_name


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html.j2")


def mail_page(message: Message, content: Mapping[str, Any], whole: str) -> str:
    """The page, with the evidence of every fact that a sentence of the stored briefing `content` shows."""
    return _template().render(message=message, evidence=list(_evidence(content)), whole=whole)


def _evidence(content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    facts = {fact["id"]: fact for fact in content.get("facts") or ()}
    sentences = [
        *content.get("bottom_line_sentences", ()),
        *(s for part in content["sections"] for s in part["sentences"]),
    ]
    for fact_id in dict.fromkeys(fact_id for sentence in sentences for fact_id in sentence["fact_ids"]):
        if fact := facts.get(fact_id):
            about = next(iter((fact.get("dimensions") or {}).values()), "")
            before = fact.get("previous_display")
            yield {
                "what": fact["label"] + (f", {safe_name(about)}" if about else ""),
                "value": fact["display"] + (f", before: {before}" if before else ""),
                "period": str(fact["period"]["label"]).capitalize(),
                "sources": ", ".join(fact["sources"]),
                "as_of": (fact.get("as_of") or "unknown")[:16].replace("T", " "),
                "query": fact["query_hash"],
            }
