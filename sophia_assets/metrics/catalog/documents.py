"""YAML with the line of every value, so that what is wrong can be pointed at; duplicate keys are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sophia_assets.metrics.catalog.problems import Problem, quoted

if TYPE_CHECKING:
    import yaml

_HOLDS_ITSELF = "the block holds itself"

Place = tuple[str | int, ...]
"""The keys and positions that lead to a value."""


@dataclass(frozen=True)
class Document:
    """One file's content, the line of each place in it, and what is wrong with it as YAML."""

    file: str
    content: Any
    lines: Mapping[Place, int]
    problems: tuple[Problem, ...] = field(default=())

    def line_of(self, place: Sequence[str | int]) -> int:
        """The line of a place, or of the nearest one around it that is there."""
        for length in range(len(place), -1, -1):
            found = self.lines.get(tuple(place[:length]))
            if found is not None:
                return found
        return 1


def read_document(path: Path, file: str) -> Document:
    """Reads one YAML file; one that is none has no content and a problem."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=loader)
        lines: dict[Place, int] = {}
        problems = list(_walk(root, (), lines, file, (), set())) if root is not None else []
        holds_itself = any(problem.what == _HOLDS_ITSELF for problem in problems)
        content = None if root is None or holds_itself else yaml.constructor.SafeConstructor().construct_document(root)
    except UnicodeDecodeError:
        return Document(file, None, {}, (_unreadable(file, 1, "the file is not text in UTF-8"),))
    except OSError as error:
        return Document(file, None, {}, (_unreadable(file, 1, f"the file cannot be read: {error.strerror}"),))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        return Document(file, None, {}, (_unreadable(file, mark.line + 1 if mark else 1, f"this is not YAML: {what}"),))
    except RecursionError:
        return Document(file, None, {}, (_unreadable(file, 1, "the blocks are nested too deeply"),))
    except ValueError as error:
        # A date or a number that looks like one and is none; the parser does not say where.
        return Document(file, None, {}, (_unreadable(file, 1, f"a value is none: {error}"),))
    return Document(file, content, lines, tuple(problems))


def _unreadable(file: str, line: int, what: str) -> Problem:
    return Problem(file, line, "", "", what, "Correct the line, or the one before it")


def _walk(
    node: yaml.Node, place: Place, lines: dict[Place, int], file: str, above: tuple[int, ...], seen: set[int]
) -> Iterator[Problem]:
    import yaml

    lines.setdefault(place, node.start_mark.line + 1)
    if id(node) in above:
        yield Problem(file, node.start_mark.line + 1, ".".join(map(str, place)), "", _HOLDS_ITSELF, "Write it out")
        return
    if id(node) in seen:
        # Aliases of aliases would make a short file endless.
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield from _walk(item, (*place, position), lines, file, (*above, id(node)), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    for pair in list(node.value):
        key, value = pair
        line = key.start_mark.line + 1
        inner = (*place, str(key.value))
        if inner in lines:
            yield Problem(
                file,
                line,
                ".".join(map(str, place[1:])),
                str(key.value),
                f"{quoted(key.value)} is there already in line {lines[inner]}",
                "Keep one of the two",
            )
            # What is told by line has to be what is read: the first of the two.
            node.value.remove(pair)
            continue
        lines[inner] = line
        yield from _walk(value, inner, lines, file, (*above, id(node)), seen)
