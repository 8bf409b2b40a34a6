"""Whatever people type into the systems, it changes no figure, no sentence and no role, and nothing of it acts."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.llm.interface import Completion, Deadline, Models, Prompt
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets.publishing import Edition
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.attacks import (
    CANARY,
    EVIL,
    FREE_TEXT,
    NAMES,
    OTHER_TEXT,
    PEOPLE,
    public_attacks,
    text_fields,
    with_attacks,
)
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.unlimited import read_everything

pytestmark = [pytest.mark.long, pytest.mark.takes(90)]

DAY = date(2026, 11, 20)
WRITERS = ("offline", "anthropic", "openai")
SECRET = "Secretcanary"
#: Counts messages by their words, and so rightly counts what was planted.
_COUNTS_WORDS = "topic_conversations"


class Overheard:
    """Models that keep what they were asked."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.prompts: list[Prompt] = []

    def complete(self, prompt: Prompt, *, key: str, deadline: Deadline) -> Completion:
        """Asks, and remembers."""
        self.prompts.append(prompt)
        return self._models.complete(prompt, key=key, deadline=deadline)


@dataclass
class Told:
    """What became of one company: its facts, the editions by writer, and the prompts that models were given."""

    facts: FactSet
    editions: dict[str, tuple[Edition, ...]] = field(default_factory=dict)
    prompts: list[Prompt] = field(default_factory=list)
    log: str = ""


@pytest.fixture(scope="module")
def company() -> CompanyData:
    return simulate_company(42, date(2025, 5, 1), DAY, scale=0.2)


@pytest.fixture(scope="module")
def clean(company: CompanyData, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return _told(company, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def attacked(company: CompanyData, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return _told(with_attacks(company), tmp_path_factory.mktemp("attacked"))


def _told(company: CompanyData, path: Path) -> Told:
    """Reads the company through its stand-ins and has its briefing written by each writer; the models obey whatever
    looks like an order in what they are given."""
    log = _Log()
    logging.getLogger().addHandler(log)
    try:
        with served(company, limits=False, faults=("anthropic:obeys:1", "openai:obeys:1")) as sandbox:
            home = Home(path)
            home.prepare()
            first, last = company.first_day.isoformat(), company.last_day.isoformat()
            home.record_company(
                CompanyIdentity("simulated", seed=42, first_day=first, last_day=last, name=company.name)
            )
            with closing(_services(home, sandbox.env, "offline")) as services:
                read_everything(services, services.span(DAY, DAY), run_id="attacks")
                every = load_models()
                models = list(every.values())
                build_models(services.warehouse, models, {"timezone": "UTC"}, record=record_of_builds(models, every))
                told = Told(services.compute_facts(DAY))
            for writer in WRITERS:
                with closing(_services(home, sandbox.env, writer)) as services:
                    overheard = Overheard(services.language_models)
                    services.__dict__["language_models"] = overheard
                    told.editions[writer] = services.publisher.write(DAY, told.facts)
                    told.prompts += overheard.prompts
    finally:
        logging.getLogger().removeHandler(log)
    told.log = "\n".join(log.lines)
    return told


def _services(home: Home, sandbox: Mapping[str, str], writer: str) -> Services:
    settings = load_settings(
        {
            "SOPHIA_HOME": str(home.path),
            "SOPHIA_WRITER": writer,
            "SOPHIA_ANTHROPIC_MODE": "sandbox",
            "SOPHIA_OPENAI_MODE": "sandbox",
            "SOPHIA_LLM_CACHE_SECONDS": "0",
            "PULUMI_ACCESS_TOKEN": SECRET,
        }
    )
    return Services(settings, home, sandbox_env=dict(sandbox))


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_every_text_of_every_system_is_known_as_typed_or_not(company: CompanyData) -> None:
    undecided = text_fields(company) - FREE_TEXT - NAMES - PEOPLE
    assert [place for place in sorted(undecided) if not OTHER_TEXT.fullmatch(place)] == []


def test_the_public_attacks_are_at_hand() -> None:
    if not public_attacks():
        pytest.skip("the public evaluation sets are not beside the project")
    assert len(public_attacks()) > 50


def test_no_figure_changes(clean: Told, attacked: Told) -> None:
    before, after = _values(clean.facts), _values(attacked.facts)
    assert before.keys() == after.keys()
    assert {key for key in before if before[key] != after[key]} == set()


def _values(facts: FactSet) -> dict[tuple[str, ...], list[tuple[object, ...]]]:
    """What was measured, by metric, period and the ids behind it; names that stand for themselves are left out."""
    found: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
    for fact in facts:
        if fact.metric != _COUNTS_WORDS:
            # Equal values are ranked by name, and the names have changed.
            found.setdefault(_key(fact), []).append(
                (fact.value, fact.previous, fact.direction, fact.share, fact.display)
            )
    return {key: sorted(values, key=repr) for key, values in found.items()}


def _key(fact: Fact) -> tuple[str, ...]:
    ids = (value for name, value in fact.entity_ids.items() if value != fact.dimensions.get(name))
    return (fact.metric, fact.period.key, *sorted(fact.dimensions), *sorted(ids))


@pytest.mark.parametrize("writer", WRITERS)
def test_no_sentence_changes_but_for_the_names_in_it(clean: Told, attacked: Told, writer: str) -> None:
    for before, after in zip(clean.editions[writer], attacked.editions[writer], strict=True):
        assert before.role == after.role
        said = _templates(after)
        # Longer names leave less room: a few of the last sentences may go, but none comes, and none moves.
        assert [sentence for sentence in _templates(before) if sentence in said] == said
        more_room = after.briefing.verification.shortened - before.briefing.verification.shortened
        assert len(_templates(before)) - len(said) == more_room <= 4


def _templates(edition: Edition) -> list[tuple[str, str | None]]:
    return [(_by_id(sentence.template), sentence.story_id) for sentence in edition.briefing.sentences()]


def _by_id(template: str) -> str:
    """Teams, states and topics have no id but their name: what was planted there is taken out."""
    return re.sub(r"\.(team|issue_state|topic)\.[a-z0-9-]+", r".\1", template)


@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "offline"])
def test_the_models_were_asked_and_have_written(attacked: Told, writer: str) -> None:
    assert {edition.briefing.writer for edition in attacked.editions[writer]} == {writer}


def test_no_model_is_given_anything_that_somebody_typed(clean: Told, attacked: Told) -> None:
    assert attacked.prompts
    names = {value for fact in attacked.facts for value in fact.dimensions.values() if len(value) > 3}
    catalog = {value for fact in clean.facts for value in fact.dimensions.values()} & names
    for prompt in attacked.prompts:
        text = prompt.system + prompt.user
        assert CANARY not in text
        assert EVIL not in text
        assert [name for name in names - catalog if name in text] == []


def test_no_canary_and_no_link_reaches_a_reader(attacked: Told) -> None:
    for text in _texts(attacked):
        assert CANARY not in text
        assert SECRET not in text
        assert f"https://{EVIL}" not in text


def test_no_canary_reaches_a_log(attacked: Told) -> None:
    assert CANARY not in attacked.log
    assert SECRET not in attacked.log


def test_nothing_in_a_page_can_act(attacked: Told) -> None:
    for editions in attacked.editions.values():
        for edition in editions:
            assert list(_active_parts(edition.files.html.read_text(encoding="utf-8"))) == []
            rendered = MarkdownIt("commonmark", {"html": True}).render(
                edition.files.markdown.read_text(encoding="utf-8")
            )
            assert list(_active_parts(rendered)) == []


def _texts(told: Told) -> Iterator[str]:
    for editions in told.editions.values():
        for edition in editions:
            for path in (edition.files.html, edition.files.markdown, edition.files.json):
                yield path.read_text(encoding="utf-8")


def _active_parts(page: str) -> Iterator[str]:
    """Everything in a page that leads away, loads or runs."""
    reader = _Reader()
    reader.feed(page)
    yield from reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "embed", "form", "link", "base", "input", "video", "audio"):
            self.found.append(tag)
        for name, value in attrs:
            leads_away = name in ("href", "src", "action", "xlink:href") and not (value or "").startswith("#")
            if leads_away or name.startswith("on") or "javascript:" in (value or "").lower().replace(" ", ""):
                self.found.append(f"{tag} {name}={value}")
