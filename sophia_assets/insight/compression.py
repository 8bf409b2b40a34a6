"""Makes a prompt's tables fit into a number of tokens: form before content, the least material first.

Never dropped is a fact that a section needs or that a kept story rests on. Whatever is dropped is told in plain words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sophia_assets.insight.prompt_facts import Material
from sophia_assets.insight.stories import Story

Row = Mapping[str, str]

#: Cells that every fact has, so that an empty one can mean "as in the row above".
REPEATABLE = ("metric", "noun", "be", "about", "period", "good")


@dataclass(frozen=True)
class Tables:
    """The tables as text, the facts and stories in them, and what was left out."""

    facts: str
    stories: str
    kept: Material
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both tables."""
        return f"{self.facts}\n{self.stories}"


@dataclass(frozen=True)
class Rows:
    """Every row of a prompt's two tables, by the id of its fact or story; each row has every column."""

    facts: Mapping[str, Row]
    stories: Mapping[str, Row]
    columns: tuple[str, ...]
    story_columns: tuple[str, ...]


def fit(rows: Rows, material: Material, room: int, count: Callable[[str], int], cited: Collection[str] = ()) -> Tables:
    """The tables in at most `room` tokens, or as short as they can be made; what is in `cited` is kept as if needed.

    Takes time in proportion to what `material` holds.
    """
    whole = _tables(rows, material, (), is_short=False)
    if count(whole.text) <= room:
        return whole
    shortened = ("empty columns and repeated cells",)
    tables = _tables(rows, material, shortened, is_short=True)
    if count(tables.text) <= room:
        return tables
    tables = _with_fewer_facts(rows, material, room, count, frozenset(cited), shortened)
    spare = [story for story in material.stories if story.id not in cited]
    while count(tables.text) > room and spare:
        spare.pop()
        stories = [story for story in material.stories if story in spare or story.id in cited]
        fewer = _material(material, stories, frozenset(cited))
        left_out = (*shortened, *_dropped(material, fewer))
        tables = _tables(rows, fewer, left_out, is_short=True)
    return tables


def _with_fewer_facts(
    rows: Rows,
    material: Material,
    room: int,
    count: Callable[[str], int],
    cited: frozenset[str],
    shortened: tuple[str, ...],
) -> Tables:
    """Without as many of the facts that nothing needs as it takes, the least material first; they stand last."""
    needed = material.needed | cited
    spare = [fact.id for fact in material.facts if fact.id not in needed]
    kept, tables = spare, _tables(rows, material, shortened, is_short=True)
    size = count(tables.text)
    while size > room and kept:
        excess = size - room
        while kept and excess > 0:
            excess -= max(1, count("|".join(rows.facts[kept[-1]].values())) // 2)
            kept = kept[:-1]
        keep = needed | set(kept)
        fewer = Material(tuple(fact for fact in material.facts if fact.id in keep), material.stories, material.required)
        tables = _tables(rows, fewer, (*shortened, *_dropped(material, fewer)), is_short=True)
        size = count(tables.text)
    return tables


def _material(material: Material, stories: Sequence[Story], cited: frozenset[str]) -> Material:
    kept = Material(material.facts, tuple(stories), material.required)
    needed = kept.needed | cited
    return Material(tuple(fact for fact in material.facts if fact.id in needed), kept.stories, kept.required)


def _dropped(whole: Material, kept: Material) -> tuple[str, ...]:
    told = []
    if facts := len(whole.facts) - len(kept.facts):
        told.append(f"{facts} {'fact' if facts == 1 else 'facts'} of little effect")
    if stories := len(whole.stories) - len(kept.stories):
        told.append(f"the {stories} {'story' if stories == 1 else 'stories'} of the least effect")
    return tuple(told)


def _tables(rows: Rows, material: Material, left_out: tuple[str, ...], *, is_short: bool) -> Tables:
    facts = [rows.facts[fact.id] for fact in material.facts]
    stories = [rows.stories[story.id] for story in material.stories]
    shown = {row["id"] for row in facts}
    # A story may rest on a fact that the reader's role does not see; its handle would lead nowhere.
    stories = [{**row, "facts": " ".join(h for h in row["facts"].split() if h in shown)} for row in stories]
    return Tables(
        table(rows.columns, facts, is_short=is_short),
        table(rows.story_columns, stories, is_short=False),
        material,
        left_out,
    )


def table(columns: Sequence[str], rows: Sequence[Row], *, is_short: bool = False) -> str:
    """A header and a line for each row; short, it has no empty column and no cell repeated from the row above."""
    if is_short:
        columns = [name for name in columns if any(row[name] for row in rows)]
    lines = ["|".join(columns)]
    above: Row = {}
    for row in rows:
        cells = [
            "" if is_short and name in REPEATABLE and above.get(name) == row[name] else row[name] for name in columns
        ]
        lines.append("|".join(cells))
        above = row
    return "\n".join(lines)
