"""Makes the list of constructions that models may write in, from sentences whose truth is known.

`python -m sophia_assets_tests.insight.constructions` writes the file anew. The sentences are those of the deterministic
writer, of the corpus of true prose, and of the sandbox's model where it is honest, over many varied companies.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import chain

from sophia_assets.insight.constructions import FILE, skeleton
from sophia_assets.insight.handles import Handles
from sophia_assets.insight.prompting import DRAFT_SCHEMA
from sophia_assets.insight.slots import SLOT, fill
from sophia_assets.insight.verification import Verifier
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.sandbox.language.model import answer
from sophia_assets_tests.insight.prose import true_prose
from sophia_assets_tests.insight.variations import true_sentences, verifier_for
from sophia_assets_tests.sandbox.small_prompts import asked_of

COMPANIES = 20
#: The sandbox's model writes each company's draft in its own way, so that it takes many to meet all its ways.
DRAFTS = 600


def true_drafts(seed: int) -> Iterator[tuple[BriefingRequest, DraftSentence]]:
    """Every sentence about one varied company that the deterministic writer or the corpus of true prose has."""
    request, sentences = true_sentences(seed)
    for _, draft in sentences:
        yield request, draft
    for prose in true_prose(request):
        yield request, prose.draft


def model_drafts(seed: int) -> Iterator[tuple[BriefingRequest, DraftSentence]]:
    """What the sandbox's model writes about one varied company where it is honest."""
    asked = asked_of(seed)
    given = asked.given
    content = json.loads(answer(given, DRAFT_SCHEMA))
    for written in [*content["bottom_line"], *(each for part in content["sections"] for each in part["sentences"])]:
        yield asked.request, asked.drafted(written)


def found_constructions(companies: int = COMPANIES, drafts: int = DRAFTS) -> dict[str, str]:
    """Each construction with the shortest sentence that has it, in handles."""
    found: dict[str, str] = {}
    for sentences in chain((true_drafts(seed) for seed in range(companies)), map(model_drafts, range(drafts))):
        verifiers: dict[int, Verifier] = {}
        for request, draft in sentences:
            verifier = verifiers.setdefault(id(request), verifier_for(request))
            key = skeleton(draft, request.facts, verifier.stories)
            if not key or not _stands(verifier, request, draft):
                continue
            example = shown(draft, request)
            if key not in found or (len(example), example) < (len(found[key]), found[key]):
                found[key] = example
    return dict(sorted(found.items()))


def _stands(verifier: Verifier, request: BriefingRequest, draft: DraftSentence) -> bool:
    """Whether verification has nothing against a sentence, before and after its slots are filled."""
    if verifier.draft_sentence(draft):
        return False
    filled = fill(draft.text, request.facts, request.stories)
    return not verifier.text(filled.text, filled.fact_ids, draft.story_id)


def shown(draft: DraftSentence, request: BriefingRequest) -> str:
    """A sentence as a model would write it, its first fact as f1."""
    ids = list(dict.fromkeys(match["id"] for match in SLOT.finditer(draft.text) if match["kind"] == "fact"))
    facts = [fact for fact in map(request.facts.get, ids) if fact is not None]
    stories = [story for story in request.stories if story.id == draft.story_id]
    return Handles(facts, stories).to_handles(draft.text)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=COMPANIES)
    parser.add_argument("--drafts", type=int, default=DRAFTS)
    options = parser.parse_args()
    found = found_constructions(options.companies, options.drafts)
    FILE.write_text("".join(f"{key}\t{example}\n" for key, example in found.items()), encoding="utf-8")
    print(f"Wrote {len(found)} constructions to {FILE}")


if __name__ == "__main__":
    main()
