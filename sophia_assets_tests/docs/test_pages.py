"""What the pages name is there: links, anchors, pictures, settings, commands and options, make targets, modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sophia_assets.errors import SophiaError
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.sources import registry
from sophia_assets_tests.docs import commands
from sophia_assets_tests.docs.pages import Page, lines, page, pages

_SETTING = re.compile(
    r"\b(?:SOPHIA_[A-Z0-9_]+|(?:GONG|HUBSPOT|SLACK|LINEAR|PINECONE|REDIS|SNOWFLAKE|OPENAI|ANTHROPIC)_[A-Z0-9_]+)"
)
_OF_ONE = re.compile(
    rf"SOPHIA_(?:{'|'.join(name.upper() for name in (*registry.SYSTEMS, *PROVIDERS))})_(BREAKER_[A-Z_]+)"
)
# Set by a reader's own client, or by hand, and read by no `.env`.
_NOT_IN_ENV = frozenset({"SOPHIA_TOKEN"})

every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    broken = [link for link in page.links if not _leads_somewhere(page, link)]

    assert not broken


@every_page
def test_settings_are_in_the_example_of_all_settings(page: Page) -> None:
    known = _known_settings()
    # A worked example may have a setting of its own.
    known |= {name for fence in page.fences if fence.language == "python" for name in _SETTING.findall(fence.text)}
    unknown = [name for name in _SETTING.findall(page.text) if not _is_known(name, known)]

    assert not unknown


@every_page
def test_commands_of_sophia_exist_with_their_options(page: Page) -> None:
    written = [*page.inline_code, *(line.command for line in lines(page))]
    unknown = [
        f"{text}: {wrong}"
        for text in written
        if not text.startswith("sophia-")
        for call in commands.sophia_calls(text)
        if (wrong := commands.unknown_in_call(call))
    ]

    assert not unknown


@every_page
def test_commands_that_want_a_reason_are_shown_with_one(page: Page) -> None:
    lacking = [
        text
        for text in (*page.inline_code, *(line.command for line in lines(page)))
        for call in commands.sophia_calls(text)
        if commands.wants_reason(call) and "--reason" not in call
    ]

    assert not lacking


@every_page
def test_make_targets_modules_and_files_that_commands_name_exist(page: Page) -> None:
    targets = commands.known_targets()
    made_by_reader = set(re.findall(r"(?m)^New file `([^`]+)`:$", page.text))
    for text in (*page.inline_code, *(line.command for line in lines(page))):
        if text.startswith("make ") or " make " in text:
            assert set(commands.make_targets(text)) <= targets, text
        for module in commands.modules(text):
            found = commands.module_path(module)
            assert found, f"{text}: there is no module {module}"
            source = found.read_text()
            assert found.name == "__init__.py" or "__main__" in source or found.name == "__main__.py", text
            said = re.findall(r"(?<=\s)--[a-z][a-z-]+", text)
            assert all(option in source or option in _beside(found) for option in said), text
        for path in commands.project_paths(text):
            is_there = (PROJECT_ROOT / path).exists() or path in made_by_reader
            assert is_there, f"{text}: there is no {path}"


@every_page
def test_services_and_objects_that_commands_name_are_declared(page: Page) -> None:
    services = yaml.safe_load((PROJECT_ROOT / "deploy" / "compose.yaml").read_text())["services"]
    kubernetes = sorted((PROJECT_ROOT / "deploy" / "kubernetes").glob("*.yaml"))
    objects = [item for path in kubernetes for item in yaml.safe_load_all(path.read_text()) if item]
    declared = {(item["kind"].lower(), item["metadata"]["name"]) for item in objects}
    for line in lines(page):
        assert set(commands.compose_services(line.command)) <= set(services), line.text
        for kind, name in commands.kubernetes_objects(line.command):
            # What Dagster's own chart makes is called so.
            assert (kind, name) in declared or name.startswith("dagster-"), line.text


@every_page
def test_commands_name_no_placeholder_that_a_shell_would_take_for_a_file(page: Page) -> None:
    assert not [line.text for line in lines(page) if line.has_placeholder]


def test_every_code_that_a_command_may_end_with_is_in_the_table() -> None:
    codes: set[int] = set()
    classes: list[type[SophiaError]] = [SophiaError]
    for each in classes:
        codes.add(each.exit_code)
        classes += each.__subclasses__()

    assert codes <= {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", page("README.md").text)}


def test_pages_are_found_by_themselves() -> None:
    names = {page.name for page in pages()}

    assert {"README.md", ".github/CONTRIBUTING.md", ".github/CHANGELOG.md", "sophia_assets/llm/README.md"} <= names
    assert {f"sophia_assets/sources/{system}/README.md" for system in registry.SYSTEMS} <= names


def test_what_does_not_exist_is_noticed() -> None:
    assert "no command fly" in commands.unknown_in_call(["fly"])
    assert "no option --sideways" in commands.unknown_in_call(["run", "--sideways"])
    assert "no command juggle" in commands.unknown_in_call(["circuit", "juggle", "gong"])
    assert list(commands.sophia_calls("kubectl exec deploy/web -- sophia flags list --json | head")) == [
        ["flags", "list", "--json"]
    ]


def _leads_somewhere(page: Page, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return link.startswith(("https://", "http://127.0.0.1", "mailto:"))
    target, _, anchor = link.partition("#")
    path = (page.path.parent / target).resolve() if target else page.path
    if not path.exists():
        return False
    return not anchor or anchor in Page(str(path.relative_to(PROJECT_ROOT))).anchors


def _known_settings() -> frozenset[str]:
    example = (PROJECT_ROOT / ".env.example").read_text()
    deployed = "".join(path.read_text() for path in sorted((PROJECT_ROOT / "deploy").rglob("*.yaml")))
    of_deployment = re.findall(r"\$\{([A-Z][A-Z0-9_]+)", deployed)
    return frozenset(re.findall(r"\b[A-Z][A-Z0-9_]+\b", example)) | _NOT_IN_ENV | set(of_deployment)


def _is_known(name: str, known: frozenset[str]) -> bool:
    if name in known:
        return True
    if name.endswith("_"):
        return any(other.startswith(name) for other in known) or bool(re.fullmatch(r"SOPHIA_[A-Z]+_BREAKER_", name))
    of_one = _OF_ONE.fullmatch(name)
    return bool(of_one and f"SOPHIA_{of_one[1]}" in known)


def _beside(module: Path) -> str:
    return "".join(path.read_text() for path in module.parent.glob("*.py"))
