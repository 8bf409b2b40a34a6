"""Asks several hundred questions and says how many of them are read rightly.

Belongs here: reading the files in `questions`, asking, and printing how it went. Does not belong here: what is right
(`expectations`), or any knowledge of how questions are understood.

Every third entry of a file is held out, and every entry of a file that says `part: held_out`: understanding is
improved on the misses of the others (`--part dev`), so that the score of the held out ones tells how questions that
nobody has tried will be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import yaml

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.assistant.interface import NotRead, Question
from sophia_assets.home import Home
from sophia_assets_tests.assistant.expectations import FIELDS, Entry, Span, Verdict, judge
from sophia_assets_tests.finished_home import build, services_of

if TYPE_CHECKING:
    from sophia_assets.assistant.understanding.ground import Ground
    from sophia_assets.services import Services

Part = Literal["dev", "held_out", "all"]
FOLDER = Path(__file__).parent / "questions"
ASKER = Principal("suite", EXECUTIVE, "cli")


class UnsoundEntry(ValueError):
    """An entry of a file that cannot be judged by."""


@dataclass(frozen=True)
class Score:
    """How a run of the suite went."""

    verdicts: tuple[Verdict, ...]

    @property
    def covered(self) -> list[Verdict]:
        """The questions that the data can answer."""
        return [verdict for verdict in self.verdicts if verdict.entry.expected is not None]

    @property
    def off_coverage(self) -> list[Verdict]:
        """Those that it cannot, or that mean several things."""
        return [verdict for verdict in self.verdicts if verdict.entry.expected is None]

    @property
    def right_share(self) -> float:
        """Of the covered questions, the share that was read rightly."""
        return _share(self.covered)

    @property
    def abstained_share(self) -> float:
        """Of the others, the share that was not answered."""
        return _share(self.off_coverage)

    @property
    def wrong_grain(self) -> list[Verdict]:
        """Readings of the right metric at another level than asked for."""
        return [verdict for verdict in self.verdicts if verdict.is_wrong_grain]

    @property
    def misses(self) -> list[Verdict]:
        """All that went wrong."""
        return [verdict for verdict in self.verdicts if not verdict.is_right]

    def lines(self) -> Iterator[str]:
        """The score to read: right of total by type, then what the goals are set for."""
        for kind in dict.fromkeys(verdict.entry.kind for verdict in self.verdicts):
            of_kind = [verdict for verdict in self.verdicts if verdict.entry.kind == kind]
            yield f"{kind:14}{sum(verdict.is_right for verdict in of_kind):5} of {len(of_kind)}"
        needless = sum(verdict.is_abstained for verdict in self.covered)
        yield f"right          {self.right_share:7.1%} of {len(self.covered)} covered questions"
        yield f"abstained      {self.abstained_share:7.1%} of {len(self.off_coverage)} off coverage"
        yield f"needlessly     {needless / max(1, len(self.covered)):7.1%} of the covered ones not read"
        yield f"wrong grain    {len(self.wrong_grain):5}"


def _share(verdicts: Sequence[Verdict]) -> float:
    return sum(verdict.is_right for verdict in verdicts) / len(verdicts) if verdicts else 1.0


def load_entries(part: Part = "all", folder: Path = FOLDER, *, file: str = "*") -> list[Entry]:
    """The entries of all files, or of those of one name without `.yaml`, in their order. Raises UnsoundEntry."""
    entries = [entry for each in sorted(folder.glob(f"{file}.yaml")) for entry in _entries_of(each)]
    return [entry for entry in entries if part in ("all", entry.part)]


def _entries_of(file: Path) -> Iterator[Entry]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not content.keys() <= {"part", "metrics", "questions", "off_coverage"}:
        raise UnsoundEntry(f"{file.name}: it holds `part`, `metrics`, `questions` and `off_coverage`, each optional")
    if content.get("part", "held_out") != "held_out":
        raise UnsoundEntry(f"{file.name}: `part` of a whole file is held_out, or is left out")
    written: list[dict[str, Any] | str] = [
        {"metrics": [metric], **entry} for metric, asked in content.get("metrics", {}).items() for entry in asked
    ]
    written += content.get("questions") or []
    written += [str(question) for asked in content.get("off_coverage", {}).values() for question in asked]
    for number, each in enumerate(written, start=1):
        where = f"{file.name} {number}"
        is_held_out = "part" in content or number % 3 == 0
        yield _entry(where, "held_out" if is_held_out else "dev", each)


def _entry(where: str, part: str, written: dict[str, Any] | str) -> Entry:
    if isinstance(written, str):
        return Entry(where, part, written, (), None)
    unknown = written.keys() - FIELDS
    if unknown or not isinstance(written.get("ask"), str):
        raise UnsoundEntry(f"{where}: {', '.join(sorted(unknown)) or 'ask'} is not as the format says")
    entry = Entry(where, part, written["ask"], tuple(written.get("after", ())), written)
    try:
        _ = entry.intents
        for field in ("period", "compared_to", "both"):
            for span in written[field] if isinstance(written.get(field), list) else [written.get(field)]:
                if span not in (None, "own"):
                    Span.of(span)
    except ValueError as error:
        raise UnsoundEntry(f"{where}: {error}") from None
    return entry


def ground_of(services: Services) -> Ground:
    """What questions are read on: the newest state of a home's models."""
    from sophia_assets.assistant.understanding.ground import Ground

    return Ground.of(services.readings.current(EXECUTIVE), services.settings)


def run(services: Services, entries: Sequence[Entry]) -> Score:
    """Asks every question of one home."""
    ground = ground_of(services)
    return Score(tuple(_verdict(services, ground, entry) for entry in entries))


def _verdict(services: Services, ground: Ground, entry: Entry) -> Verdict:
    from sophia_assets.assistant.understanding.understanding import understand

    question = Question(entry.question, ASKER, entry.after)
    read = understand(question, ground)
    if entry.expected is not None:
        return judge(entry, read, ground.catalog)
    if isinstance(read, NotRead):
        return Verdict(entry, is_abstained=True)
    # What is read may still not be measurable, such as a day before history: then the answer says so.
    answer = services.assistant.ask(question)
    if answer.status != "answered":
        return Verdict(entry, is_abstained=True)
    names = ", ".join(read.metrics) or ", ".join(read.search) or "no metric"
    return Verdict(entry, (f"answered as {read.intent.value} of {names}",))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the score; with `--misses` each miss."""
    parser = argparse.ArgumentParser(description="Asks the suite's questions of a home.")
    parser.add_argument("--home", type=Path, help="a home of the suite's company; made anew if left out (20 s)")
    parser.add_argument("--part", choices=("dev", "held_out", "all"), default="dev")
    parser.add_argument("--file", default="*", help="the name of one file of questions, without .yaml")
    parser.add_argument("--misses", action="store_true", help="print what went wrong")
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory() as made:
        services = services_of(Home(chosen.home) if chosen.home else build(Path(made)))
        try:
            score = run(services, load_entries(chosen.part, file=chosen.file))
        finally:
            services.close()
    for line in score.lines():
        print(line)
    if chosen.misses:
        for verdict in score.misses:
            print(f"{'WRONG GRAIN ' if verdict.is_wrong_grain else ''}{verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
