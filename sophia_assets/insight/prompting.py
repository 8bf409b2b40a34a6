"""Builds the prompts of a briefing: what a model is told, and the facts and stories it may use.

Nothing that people typed goes to a model: no name, no title, no text. Facts and stories are known by handles, and code
fills in whom they are about. So a prompt has nothing to leak, and nothing in it can act as an instruction.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sophia_assets.insight.compression import Row, Rows, Tables, fit, table
from sophia_assets.insight.constructions import examples_for, known_constructions
from sophia_assets.insight.handles import Handles
from sophia_assets.insight.instructions import (
    CRITICISED,
    criticising_instructions,
    principles_text,
    writing_instructions,
)
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.prompt_facts import Material, choose_material, slots_in
from sophia_assets.insight.slots import due_phrase, period_phrase, previous_period_phrase, rank_phrase
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.writing import (
    SECTION_LIMITS,
    SECTION_TITLES,
    BriefingRequest,
    Criticism,
    Draft,
    DraftSentence,
)
from sophia_assets.llm.interface import Prompt
from sophia_assets.metrics.facts import Fact

#: The most tokens of a prompt, its instructions included.
MAX_PROMPT_TOKENS = 14_000
MAX_PROBLEMS = 60
_MAX_CELL = 200

FACT_COLUMNS = (
    "id",
    "metric",
    "noun",
    "be",
    "about",
    "period",
    "value",
    "previous",
    "previous_period",
    "direction",
    "delta",
    "change",
    "rank",
    "share",
    "target",
    "run_rate",
    "trend",
    "good",
)
STORY_COLUMNS = ("id", "kind", "category", "likelihood", "owner", "due", "facts")

# What would end a cell, a block or a slot, and what it becomes.
_ESCAPES = str.maketrans({"|": "/", "<": "(", ">": ")", "{": "(", "}": ")"})


def _object(**properties: Any) -> dict[str, Any]:
    """A JSON schema that both vendors take: every property is required, and there are no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_SENTENCES = _list_of(_object(text=_TEXT, story=_TEXT))
DRAFT_SCHEMA: Mapping[str, Any] = _object(
    bottom_line=_SENTENCES,
    sections=_list_of(_object(key={"type": "string", "enum": list(SECTION_TITLES)}, sentences=_SENTENCES)),
)
CRITICISM_SCHEMA: Mapping[str, Any] = _object(
    criticisms=_list_of(
        _object(
            section={"type": "string", "enum": ["bottom_line", *SECTION_TITLES]},
            sentence={"type": "integer"},
            principle={"type": "string", "enum": list(CRITICISED)},
            problem=_TEXT,
        )
    )
)


def _version() -> str:
    """A number for the layout and a hash of all wording, so that no change of either goes unnoticed."""
    parts = [
        writing_instructions(),
        criticising_instructions(),
        *known_constructions().values(),
        *FACT_COLUMNS,
        *STORY_COLUMNS,
        *SECTION_TITLES.values(),
        json.dumps([SECTION_LIMITS, DRAFT_SCHEMA, CRITICISM_SCHEMA]),
    ]
    return f"briefing-1-{sha256('|'.join(parts).encode()).hexdigest()[:8]}"


PROMPT_VERSION = _version()


#: The part of a prompt that examples of sentences may take.
_EXAMPLES_SHARE = 0.28


class Prompts:
    """The prompts of one briefing, each at most `most_tokens` long as `count` counts them.

    Handles are the same in all of them, whatever is left out of one. `left_out` is what the last of them left out.
    """

    def __init__(self, request: BriefingRequest, count: Callable[[str], int], most_tokens: int) -> None:
        self._request, self._count, self.most_tokens = request, count, most_tokens
        self.material = choose_material(request, OfflineWriter().draft(request))
        self.handles = Handles(self.material.facts, self.material.stories)
        self._rows = Rows(
            {fact.id: fact_row(fact, self.handles.of_fact(fact.id)) for fact in self.material.facts},
            {story.id: self._story_row(story) for story in self.material.stories},
            FACT_COLUMNS,
            STORY_COLUMNS,
        )
        self.left_out: tuple[str, ...] = ()

    def writing(self) -> Prompt:
        """Asks for a draft."""
        return self._prompt("briefing.write", writing_instructions(), (), self.material)

    def revising(self, draft: Draft, criticisms: Sequence[Criticism]) -> Prompt:
        """Asks for the draft to be written anew, so that the criticisms are met."""
        rows = [
            {
                "section": criticism.section or "all",
                "sentence": str(-1 if criticism.sentence is None else criticism.sentence),
                "principle": criticism.principle.name.lower(),
                "problem": problem_cell(self.handles.to_handles(criticism.problem)),
            }
            for criticism in criticisms[:MAX_PROBLEMS]
        ]
        blocks = (
            _block("draft", self._draft(draft)),
            _block("problems", table(("section", "sentence", "principle", "problem"), rows)),
        )
        return self._prompt("briefing.revise", writing_instructions(), blocks, self.material, _cited(draft))

    def criticising(self, draft: Draft) -> Prompt:
        """Asks what speaks against the draft; of the facts, only what it cites and stories rest on."""
        cited = _cited(draft)
        needed = {fact_id for story in self.material.stories for fact_id in story.fact_ids} | cited.keys()
        facts = tuple(fact for fact in self.material.facts if fact.id in needed)
        material = Material(facts, self.material.stories, frozenset(cited))
        blocks = (_block("draft", self._draft(draft)), _block("principles", principles_text()))
        return self._prompt("briefing.criticise", criticising_instructions(), blocks, material, cited)

    def size(self, prompt: Prompt) -> int:
        """How many tokens a prompt has, as `count` counts them."""
        return self._count(prompt.system) + self._count(prompt.user)

    def _prompt(
        self, purpose: str, system: str, more: Sequence[str], material: Material, cited: Iterable[str] = ()
    ) -> Prompt:
        request = self._request
        head = f"kind|{cell(request.kind.key)}\nday|{request.date.isoformat()}\nrole|{cell(request.role)}"
        sections = [
            {"key": key, "title": title, "most sentences": str(SECTION_LIMITS[key])}
            for key, title in SECTION_TITLES.items()
        ]
        around = [
            _block("request", head),
            _block("sections", table(("key", "title", "most sentences"), sections)),
            *more,
            *(() if purpose == "briefing.criticise" else (self._examples(material),)),
            _block("facts", ""),
            _block("stories", ""),
        ]
        room = self.most_tokens - self._count(system) - sum(map(self._count, around))
        tables = fit(self._rows, material, room, self._count, frozenset(cited))
        user = "\n".join([around[0], *_tables(tables), *around[1:-2]])
        is_critique = purpose == "briefing.criticise"
        # Who judges a draft need not see more than the draft shows.
        self.left_out = () if is_critique else (*_passed_over(self.material), *tables.left_out)
        return Prompt(
            purpose=purpose,
            version=PROMPT_VERSION,
            system=system,
            user=user,
            schema_name="briefing_criticism" if is_critique else "briefing_draft",
            schema=CRITICISM_SCHEMA if is_critique else DRAFT_SCHEMA,
            max_output_tokens=1_500 if is_critique else 4_000,
        )

    def _examples(self, material: Material) -> str:
        """How sentences about such facts and stories may be built."""
        kinds, metrics = {story.kind for story in material.stories}, {fact.metric for fact in material.facts}
        for most_each in (6, 4, 2, 1):
            examples = map(_with_placeholders, examples_for(kinds, metrics, most_each))
            block = _block("examples", "\n".join(examples))
            if self._count(block) <= _EXAMPLES_SHARE * self.most_tokens:
                break
        return block

    def _story_row(self, story: Story) -> Row:
        values = {
            "id": self.handles.of_story(story.id),
            "kind": story.kind,
            "category": story.category,
            "likelihood": story.likelihood or "",
            "owner": UNASSIGNED if story.action.owner == UNASSIGNED else "known",
            "due": due_phrase(story.action.due),
            "facts": " ".join(filter(None, map(self.handles.of_fact, story.fact_ids))),
        }
        return {name: cell(value) for name, value in values.items()}

    def _draft(self, draft: Draft) -> str:
        """The draft's JSON as a model wrote it: handles for slots, and nothing that could end its block."""

        def listed(sentences: Iterable[DraftSentence]) -> list[dict[str, str]]:
            return [
                {"text": self.handles.to_handles(each.text), "story": self.handles.of_story(each.story_id)}
                for each in sentences
            ]

        content = {
            "bottom_line": listed(draft.bottom_line),
            "sections": [{"key": each.key, "sentences": listed(each.sentences)} for each in draft.sections],
        }
        return json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e")


def fact_row(fact: Fact, handle: str) -> Row:
    """A fact as a row of a prompt, under its handle: all its aspects, and no name."""
    name = noun(fact)
    moved = {"up": "up", "down": "down", "flat": "unchanged"}
    values: dict[str, str | None] = {
        "id": handle,
        "metric": fact.metric,
        "noun": name.text,
        "be": name.be,
        "about": next(iter(fact.dimensions), "company"),
        "period": period_phrase(fact.period),
        "value": fact.display,
        "previous": fact.previous_display,
        "previous_period": previous_period_phrase(fact.period, fact.previous_period) if fact.previous_period else None,
        "direction": moved.get(fact.direction or ""),
        "delta": fact.delta_display,
        "change": fact.change_display,
        "rank": None if fact.rank is None else rank_phrase(fact.rank),
        "share": fact.share_display,
        "target": fact.target_display,
        "run_rate": fact.run_rate_display,
        "trend": fact.trend_display,
        "good": fact.good_direction if fact.good_direction in ("up", "down") else "-",
    }
    return {name: cell(value or "") for name, value in values.items()}


def cell(text: str) -> str:
    """`text` as a cell: one line of visible characters in which nothing ends a cell, a block or a slot."""
    return _plain_line(text).translate(_ESCAPES)[:_MAX_CELL]


def problem_cell(text: str) -> str:
    """A problem as a cell: like any other, but slots stay slots, with a space for their bar."""
    return re.sub(r"[<>]", "", _plain_line(text).replace("|", " "))[:_MAX_CELL]


def _plain_line(text: str) -> str:
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    return "".join(char for char in spaced if unicodedata.category(char)[0] != "C").strip()


def _with_placeholders(example: str) -> str:
    """`{{fA}}` for `{{f1}}`: handles that no prompt has, so that nobody copies an example with its facts."""
    return re.sub(r"\{\{([fs])(\d)", lambda match: f"{{{{{match[1]}{chr(ord('A') + int(match[2]) - 1)}", example)


def _block(name: str, body: str) -> str:
    return f"<{name}>\n{body}\n</{name}>"


def _tables(tables: Tables) -> tuple[str, str]:
    return _block("facts", tables.facts), _block("stories", tables.stories)


def _cited(draft: Draft) -> dict[str, None]:
    """The ids of the facts that a draft shows and of the stories that it tells."""
    sentences = [*draft.bottom_line, *(each for section in draft.sections for each in section.sentences)]
    told = dict.fromkeys(sentence.story_id for sentence in sentences if sentence.story_id)
    return slots_in((sentence.text for sentence in sentences), "fact") | told


def _passed_over(material: Material) -> list[str]:
    facts, stories = material.passed_over
    told = []
    if facts:
        told.append(f"{facts:,} {'fact' if facts == 1 else 'facts'} that no section and no story needs")
    if stories:
        told.append(f"{stories:,} {'story' if stories == 1 else 'stories'} of less effect")
    return told
