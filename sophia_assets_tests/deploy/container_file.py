"""The instructions of a container file, read strictly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

_KNOWN = {
    "FROM", "WORKDIR", "RUN", "COPY", "ENV", "VOLUME", "USER", "EXPOSE", "HEALTHCHECK", "CMD", "ENTRYPOINT", "LABEL",
}  # fmt: skip


@dataclass(frozen=True)
class Instruction:
    """One instruction on one line; `words` are its arguments, without flags such as `--from=build`."""

    name: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return self.text.split()


@dataclass(frozen=True)
class Stage:
    """A stage: the image that it begins with, its name, and its instructions after FROM."""

    base: str
    name: str
    instructions: list[Instruction]

    def of(self, name: str) -> list[Instruction]:
        """The instructions of one kind."""
        return [each for each in self.instructions if each.name == name]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(word.split("=", 1) for each in self.of("ENV") for word in each.words)


def read_stages(file: Path) -> list[Stage]:
    """The stages. Raises ValueError for what is no instruction."""
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#"))
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    stages: list[Stage] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        if name not in _KNOWN:
            raise ValueError(f"{name} is no instruction")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            stages.append(Stage(base.strip(), stage.strip(), []))
            continue
        flags = {}
        while found := re.match(r"\s*--([a-z-]+)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        stages[-1].instructions.append(Instruction(name, " ".join(rest.split()), flags))
    return stages


def is_in_context(ignore_file: Path, path: str) -> bool:
    """Whether a file reaches the build, by the rules of an ignore file: the last one that fits counts."""
    taken = True
    for line in ignore_file.read_text(encoding="utf-8").splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        wanted, pattern = rule.startswith("!"), rule.lstrip("!").removeprefix("**/")
        parts = path.split("/")
        above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        fits = any(fnmatch(each, pattern) for each in (parts if rule.startswith("**/") else above))
        taken = wanted if fits else taken
    return taken
