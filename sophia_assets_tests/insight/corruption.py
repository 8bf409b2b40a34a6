"""Corrupts whole drafts, publishes them, and counts what gets through.

`python -m sophia_assets_tests.insight.corruption --count 100000` runs the campaign: every draft holds true sentences of
the offline writer and of `model_prose.yaml` and one to three that were made false. It goes the way of any draft to the
reader, and what is published has to be true letter by letter (`oracle`). Every false sentence is also checked as a
finished text, as a page or an answer is. Exits with 1 if anything false gets through or 1 % of the true is refused.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.verification import Finding
from sophia_assets.insight.writing import SECTION_TITLES, Draft, DraftSection, DraftSentence
from sophia_assets_tests.insight.disguises import DISGUISES
from sophia_assets_tests.insight.false_drafts import SLOT_CORRUPTIONS, DraftCorruption, in_slots
from sophia_assets_tests.insight.falsehoods import FALSEHOODS, Case
from sophia_assets_tests.insight.oracle import Truth
from sophia_assets_tests.insight.prose import Prose
from sophia_assets_tests.insight.publishing_path import Path
from sophia_assets_tests.insight.variations import true_sentences

TEXTS = {**{corrupt.__name__: corrupt for corrupt in FALSEHOODS}, **DISGUISES}
CORRUPTIONS: dict[str, DraftCorruption] = {
    **{name: in_slots(corrupt) for name, corrupt in TEXTS.items()},
    **SLOT_CORRUPTIONS,
}
#: Drafts that are true but out of order: nothing of them may be refused.
ORDERS = ("sections_swapped", "sentence_doubled")
DRAFTS_A_REQUEST = 400


@dataclass
class Tally:
    """What a campaign found. `published` and `let_through` hold (corruption, true text, false text)."""

    drafts: int = 0
    corrupted: Counter[str] = field(default_factory=Counter)
    published: list[tuple[str, str, str]] = field(default_factory=list)
    let_through: list[tuple[str, str, str]] = field(default_factory=list)
    texts: int = 0
    true: int = 0
    refused: list[tuple[str, Finding]] = field(default_factory=list)
    whole: int = 0

    def add(self, other: Tally) -> None:
        """Takes in what another part of the campaign found."""
        self.drafts, self.texts = self.drafts + other.drafts, self.texts + other.texts
        self.true, self.whole = self.true + other.true, self.whole + other.whole
        self.corrupted += other.corrupted
        self.published += other.published
        self.let_through += other.let_through
        self.refused += other.refused

    @property
    def share_refused(self) -> float:
        """The share of true sentences that were refused."""
        return len(self.refused) / max(self.true, 1)

    @property
    def holds(self) -> bool:
        """Whether nothing false got through and hardly anything true was refused."""
        return not self.published and not self.let_through and self.share_refused < 0.01


def run(count: int, seed: int = 7) -> Tally:
    """Publishes `count` corrupted drafts, a few hundred for each of as many companies as that takes."""
    tally, company = Tally(), 0
    while tally.drafts < count:
        _campaign(seed * 1000 + company, min(DRAFTS_A_REQUEST, count - tally.drafts), tally)
        company += 1
    return tally


def _campaign(seed: int, drafts: int, tally: Tally) -> None:
    """All drafts of one company."""
    request, sentences = true_sentences(seed)
    truth, path, rng = Truth(request, sentences), Path(request), random.Random(seed)
    for made in truth.sentences:
        tally.true += 1
        findings = path.findings(made.draft)
        tally.refused += [(made.text, finding) for finding in findings[:1]]
    names = list(CORRUPTIONS)
    for number in range(drafts):
        chosen = [names[(number + step * 17) % len(names)] for step in range(rng.choice((1, 1, 2, 3)))]
        false = [drafted for name in chosen for drafted in [_corrupt(name, truth, path, rng, tally)] if drafted]
        draft = _draft(false, truth, rng)
        origin = {sentence.text: (name, true) for name, true, sentence in false}
        # A few go through the whole builder, with everything that comes before and after the press.
        is_whole = number % 100 == 0
        published = path.briefing(draft) if is_whole else path.publish(draft)
        tally.whole += is_whole
        tally.drafts += 1
        for sentence in published:
            if not truth.holds(sentence.text, sentence.story_id):
                name, true = origin.get(sentence.template, ("unknown", ""))
                tally.published.append((name, true, f"{sentence.text} <- {sentence.template} [{sentence.story_id}]"))


def _corrupt(
    name: str, truth: Truth, path: Path, rng: random.Random, tally: Tally
) -> tuple[str, str, DraftSentence] | None:
    """A false sentence made from some true one; its finished text is checked by itself as well."""
    for _ in range(20):
        made = rng.choice(truth.sentences)
        case = Case(made.text, made.draft, made.fact_ids, path.request, path.verifier, rng)
        false = CORRUPTIONS[name](case, truth)
        if false is None:
            continue
        try:
            text = fill(false.text, path.request.facts, path.request.stories)
        except SlotError:
            text = None
        if text is not None and truth.holds(text.text, false.story_id):
            continue
        tally.corrupted[name] += 1
        if text is not None and name in TEXTS:
            tally.texts += 1
            if not path.verifier.text(text.text, made.fact_ids, false.story_id):
                tally.let_through.append((name, made.text, f"{text.text} <- {false.text} [{false.story_id}]"))
        return name, made.text, false
    return None


def _draft(false: list[tuple[str, str, DraftSentence]], truth: Truth, rng: random.Random) -> Draft:
    """A draft of a few true sentences with the false ones among them, in any section; one sentence may come twice."""
    sentences = [_any(truth, rng).draft for _ in range(rng.randrange(2, 6))]
    for _, _, sentence in false:
        sentences.insert(rng.randrange(len(sentences) + 1), sentence)
    if rng.random() < 0.2:
        sentences.append(rng.choice(sentences))
    sections: dict[str, list[DraftSentence]] = {}
    bottom_line = [sentences.pop()] if rng.random() < 0.5 else []
    for sentence in sentences:
        sections.setdefault(rng.choice(list(SECTION_TITLES)), []).append(sentence)
    return Draft(tuple(bottom_line), tuple(DraftSection(key, tuple(told)) for key, told in sections.items()))


def _any(truth: Truth, rng: random.Random) -> Prose:
    return rng.choice(truth.sentences)


def _few_of_each(found: list[tuple[str, str, str]], most: int) -> list[tuple[str, str, str]]:
    seen: Counter[str] = Counter()
    shown = []
    for entry in found:
        seen[entry[0]] += 1
        if seen[entry[0]] <= 4:
            shown.append(entry)
    return shown[:most]


def main() -> int:
    """Prints the tally; returns 1 if anything false got through or too much of the truth was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many corrupted drafts")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", type=int, default=20, help="how many of what got through, or was refused")
    options = parser.parse_args()
    started, tally = time.perf_counter(), Tally()
    parts = [options.count // options.jobs + (job < options.count % options.jobs) for job in range(options.jobs)]
    seeds = [options.seed + 1000 * job for job in range(options.jobs)]
    if options.jobs == 1:
        tally = run(options.count, options.seed)
    else:
        with ProcessPoolExecutor(options.jobs) as pool:
            for part in pool.map(run, parts, seeds):
                tally.add(part)
    for name, number in sorted(tally.corrupted.items(), key=lambda item: -item[1]):
        leaks = sum(1 for kind, _, _ in tally.published + tally.let_through if kind == name)
        print(f"{name:28} {number:8,}  got through {leaks}")
    for what, found in (("PUBLISHED", tally.published), ("LET THROUGH AS A TEXT", tally.let_through)):
        for kind, true, false in _few_of_each(found, options.show):
            print(f"{what} {kind}\n   true: {true}\n  false: {false}")
    for text, finding in tally.refused[: options.show]:
        print(f"REFUSED {text}\n  {finding.kind} {finding.span!r}: {finding.message} ({finding.expected})")
    seconds = time.perf_counter() - started
    print(
        f"{tally.drafts:,} corrupted drafts ({tally.whole:,} through the whole builder) in {seconds:.0f} s, "
        f"{sum(tally.corrupted.values()):,} false sentences: {len(tally.published):,} published; "
        f"{tally.texts:,} checked as finished texts: {len(tally.let_through):,} let through; "
        f"{tally.true:,} true sentences: {len(tally.refused):,} refused ({tally.share_refused:.2%})"
    )
    return 0 if tally.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
