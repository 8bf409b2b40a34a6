"""What the UI shows of a briefing: its text, its evidence, its sources, who wrote it, what was left out and why."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.gaps import excluded_sources, exclusion_reason
from sophia_assets.insight.rendering.markdown import render_markdown

if TYPE_CHECKING:
    from sophia_assets.insight.briefing import Briefing
    from sophia_assets.publishing import Edition

_NONE = "none"
#: What of it repeats the briefing's words and figures.
CONTENT = ("briefing", "evidence", "sources", "left out", "principles", "since the last briefing", "confidence")


def metadata_of(editions: Sequence["Edition"]) -> dict[str, Any]:
    """The metadata of a materialization: the first edition's in full, all editions' in a table."""
    first = editions[0]
    briefing, files = first.briefing, first.files
    return {
        "briefing": dg.MetadataValue.md(render_markdown(briefing)),
        "covers": briefing.request.kind.covered(briefing.request.date),
        "file": dg.MetadataValue.path(str(files.html)),
        "markdown file": dg.MetadataValue.path(str(files.markdown)),
        "evidence file": dg.MetadataValue.path(str(files.json)),
        "manifest": dg.MetadataValue.path(str(files.manifest)),
        "editions": dg.MetadataValue.md(_editions(editions)),
        **_writing(briefing),
        "evidence": dg.MetadataValue.md(_evidence(briefing)),
        "sources": dg.MetadataValue.md(_sources(briefing)),
        "left out": dg.MetadataValue.md(_left_out(briefing)),
        "principles": dg.MetadataValue.md(_principles(briefing)),
        "since the last briefing": dg.MetadataValue.md(_since(briefing)),
        "verification": _verification(briefing),
        "sentences": len(briefing.sentences()),
        "facts cited": len(briefing.cited_facts()),
        "sentences refused": len(briefing.verification.rejected),
        "sentences shortened": briefing.verification.shortened,
        "confidence": f"{briefing.confidence.level}: {briefing.confidence.reason}",
    }


def _writing(briefing: "Briefing") -> dict[str, Any]:
    """Who wrote the first edition, and what that took."""
    used = briefing.usage
    return {
        "writer": briefing.writer,
        "provider": used.get("provider") or _NONE,
        "model": used.get("model") or _NONE,
        "prompt version": used.get("prompt_version") or _NONE,
        "tokens in": int(used.get("input_tokens") or 0),
        "tokens out": int(used.get("output_tokens") or 0),
        "cost in US dollars": float(used.get("cost_usd") or 0.0),
        "calls of models": int(used.get("calls") or 0),
        "fallback": briefing.fallback or _NONE,
    }


def _editions(editions: Iterable["Edition"]) -> str:
    def row(edition: "Edition") -> list[str]:
        briefing, used = edition.briefing, edition.briefing.usage
        return [
            edition.role,
            briefing.writer,
            used.get("model") or "",
            f"{used.get('input_tokens') or 0:,}",
            f"{used.get('output_tokens') or 0:,}",
            f"{used.get('cost_usd') or 0:.4f}",
            briefing.fallback or "",
            str(len(briefing.sentences())),
            str(len(briefing.cited_facts())),
            str(edition.files.html),
        ]

    header = ["role", "writer", "model", "tokens in", "out", "US dollars", "fallback", "sentences", "facts", "file"]
    return _table(header, map(row, editions))


def _evidence(briefing: "Briefing") -> str:
    lines = ["| fact | value | before | data as of (UTC) | sources | query |", "|---|---|---|---|---|---|"]
    for fact in briefing.cited_facts():
        as_of = f"{fact.as_of:%Y-%m-%d %H:%M}" if fact.as_of else ""
        lines.append(
            f"| {fact.id} | {fact.display} | {fact.previous_display or ''} | {as_of} | "
            f"{', '.join(fact.sources)} | {fact.query_hash} |"
        )
    return "\n".join(lines)


def _sources(briefing: "Briefing") -> str:
    def row(status: Any) -> list[str]:
        loaded = f"{status.last_loaded_at:%Y-%m-%d %H:%M}" if status.last_loaded_at else ""
        note = "; ".join(filter(None, [status.not_asked, status.message]))
        return [
            status.display_name,
            status.state,
            str(status.newest_data or ""),
            loaded,
            f"{status.rows:,}",
            _tables_read(briefing, status.system),
            note,
        ]

    header = ["system", "state", "newest data", "last loaded (UTC)", "rows", "tables cited, with data up to", "note"]
    return _table(header, map(row, briefing.request.statuses))


def _tables_read(briefing: "Briefing", system: str) -> str:
    """The system's tables behind the cited facts, each with the time (UTC) of the data, not of a run."""
    reach: dict[str, Any] = {}
    for fact in briefing.cited_facts():
        for table in fact.sources:
            if fact.as_of and table.replace("/", ".").split(".")[0] == system:
                reach[table] = max(fact.as_of, reach.get(table, fact.as_of))
    return ", ".join(f"{table} {moment:%Y-%m-%d %H:%M}" for table, moment in sorted(reach.items()))


def _left_out(briefing: "Briefing") -> str:
    """Systems, facts and sentences that are not in the briefing, each with the reason; never a refused text's words."""
    rows = [["system", status.display_name, exclusion_reason(status)] for status in excluded_sources(briefing.request)]
    rows += [["fact of the prompt", "", str(why)] for why in briefing.usage.get("left_out") or ()]
    refused: dict[str, int] = {}
    for rejected in briefing.verification.rejected:
        for kind in {finding.kind for finding in rejected.findings}:
            refused[kind] = refused.get(kind, 0) + 1
    rows += [["sentence", f"{count} refused", kind] for kind, count in sorted(refused.items())]
    if briefing.verification.shortened:
        rows.append(["sentence", f"{briefing.verification.shortened} dropped", "the briefing would be too long"])
    rows += [["section", key, "written anew by the offline writer"] for key in briefing.verification.rewritten]
    rows += [["trouble", "", str(trouble)] for trouble in briefing.usage.get("troubles") or ()]
    return _table(["what", "which", "why"], rows) if rows else "Nothing was left out."


def _principles(briefing: "Briefing") -> str:
    rows = []
    for principle in Principle:
        reviews = [review for review in briefing.reviews if review.principle == principle]
        found = [review for review in reviews if review.finding]
        told = [f"{review.finding} ({review.by}, round {review.round}: {review.action})" for review in found]
        state = "not reviewed" if not reviews else "passed" if not found else f"{len(found)} findings"
        rows.append([principle.value, state, "; ".join(told)])
    return _table(["principle", "state", "findings, and what was done about them"], rows)


def _since(briefing: "Briefing") -> str:
    from sophia_assets.insight.last_time import since_last
    from sophia_assets.insight.rendering.markdown import escape

    since = since_last(briefing.request, briefing.cited_facts(), briefing.told_story_ids())
    if since is None:
        return "This is the reader's first briefing."
    return "\n".join([f"{since.title}:", "", *(f"- {escape(line.text)}" for line in since.lines)])


def _verification(briefing: "Briefing") -> str:
    checked = briefing.verification
    return (
        f"{checked.sentences} sentences and {checked.figures} figures verified, {len(checked.rejected)} sentences "
        f"refused, {checked.shortened} dropped for length"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(' '.join(str(cell).split()).replace('|', '/') for cell in cells)} |"

    def lines() -> Iterator[str]:
        yield line(header)
        yield "|" + "---|" * len(header)
        yield from map(line, rows)

    return "\n".join(lines())
