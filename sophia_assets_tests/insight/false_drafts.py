"""Ways to make a draft false: a corrupted sentence that keeps its slots, slots of others, splices, wrong stories."""

from __future__ import annotations

import re
from collections.abc import Callable

from sophia_assets.insight.slots import FACT_ASPECTS, SLOT, Filled, SlotError, fill
from sophia_assets.insight.writing import DraftSentence
from sophia_assets_tests.insight.falsehoods import Case, Corruption
from sophia_assets_tests.insight.oracle import Truth

#: Returns a false drafted sentence, or None where the corruption does not apply.
DraftCorruption = Callable[[Case, Truth], DraftSentence | None]


def in_slots(corrupt: Corruption) -> DraftCorruption:
    """A corruption of a finished text, as a draft: slots that the corruption left alone stay slots."""

    def corrupt_draft(case: Case, truth: Truth) -> DraftSentence | None:
        false = corrupt(case)
        if false is None or false == case.text:
            return None
        filled = fill(case.draft.text, case.request.facts, case.request.stories)
        return DraftSentence(_with_slots(false, filled, case.draft.text), case.draft.story_id)

    return corrupt_draft


def _with_slots(false: str, filled: Filled, template: str) -> str:
    """A corrupted text whose untouched beginning and end have their slots back."""
    true = filled.text
    head = next((i for i, (a, b) in enumerate(zip(true, false, strict=False)) if a != b), min(len(true), len(false)))
    rest = min(len(true), len(false)) - head
    tail = next((i for i in range(rest) if true[-1 - i] != false[-1 - i]), rest)
    slots = [match.group() for match in SLOT.finditer(template)]
    shift, parts, position = len(false) - len(true), [], 0
    for slot, piece in zip(slots, filled.fills, strict=True):
        start, end = (piece.start, piece.end) if piece.end <= head else (piece.start + shift, piece.end + shift)
        if (piece.end <= head or piece.start >= len(true) - tail) and start >= position:
            parts += [false[position:start], slot]
            position = end
    return "".join([*parts, false[position:]])


def slot_of_other_fact(case: Case, truth: Truth) -> DraftSentence | None:
    """One slot names another fact, often one about the same name or metric."""
    slots = [match for match in SLOT.finditer(case.draft.text) if match["kind"] == "fact"]
    if not slots:
        return None
    match = case.rng.choice(slots)
    fact = case.request.facts.get(match["id"])
    others = [other for other in case.request.facts if other.id != match["id"]]
    near = [o for o in others if fact and (o.metric == fact.metric or o.subject == fact.subject)]
    other = case.rng.choice(near if near and case.rng.random() < 0.6 else others)
    return _replaced(case, match.span("id"), other.id)


def slot_of_other_aspect(case: Case, truth: Truth) -> DraftSentence | None:
    """One slot shows another aspect of its fact."""
    slots = [match for match in SLOT.finditer(case.draft.text) if match["kind"] == "fact"]
    if not slots:
        return None
    match = case.rng.choice(slots)
    shown = match["aspect"] or "value"
    # A difference and a relative change are as true as each other.
    same = {
        "delta": "change",
        "change": "delta",
        "previous_period": "previous",
        "moved": "direction",
        "direction": "moved",
        "trend": "value",
        "value": "share",
    }.get(shown)
    aspect = case.rng.choice([aspect for aspect in FACT_ASPECTS if aspect not in (shown, same)])
    return _replaced(case, match.span(), f"{{{{fact:{match['id']}|{aspect}}}}}")


def slot_of_other_story(case: Case, truth: Truth) -> DraftSentence | None:
    """One slot shows another story's subject, owner, date or likelihood, or a fact in its place."""
    slots = [match for match in SLOT.finditer(case.draft.text) if match["kind"] == "story"]
    if not slots:
        return None
    match = case.rng.choice(slots)
    if case.rng.random() < 0.3:
        fact = case.rng.choice([fact for fact in case.request.facts if fact.subject])
        return _replaced(case, match.span(), f"{{{{fact:{fact.id}|subject}}}}")
    if case.rng.random() < 0.4:
        aspect = case.rng.choice(["subject", "owner", "due", "likelihood"])
        return _replaced(case, match.span("aspect"), aspect)
    other = case.rng.choice([story.id for story in case.request.stories if story.id != match["id"]])
    return _replaced(case, match.span("id"), other)


def slots_exchanged(case: Case, truth: Truth) -> DraftSentence | None:
    """Two slots of a sentence change places."""
    slots = list(SLOT.finditer(case.draft.text))
    if len(slots) < 2:
        return None
    one, two = sorted(case.rng.sample(slots, 2), key=lambda match: match.start())
    aspects = {one["aspect"], two["aspect"]}
    between = case.draft.text[one.end() : two.start()]
    shown = [fact.display for match in (one, two) if (fact := case.request.facts.get(match["id"]))]
    if aspects == {"subject"} and len(shown) == 2 and shown[0] == shown[1]:
        return None  # Two names with the same figure.
    if ("period" in aspects and "previous_period" not in aspects) or between == " (":
        return None  # Another order of words, no other claim.
    text = case.draft.text
    return _changed(case, text[: one.start()] + two.group() + between + one.group() + text[two.end() :])


def slot_put_in(case: Case, truth: Truth) -> DraftSentence | None:
    """A slot too many, anywhere."""
    fact, text = case.rng.choice(list(case.request.facts)), case.draft.text
    aspect = case.rng.choice(FACT_ASPECTS)
    cited = [case.request.facts.get(fact_id) for fact_id in case.fact_ids]
    if aspect == "period" and fact.period in [known.period for known in cited if known]:
        return None  # It says again what is so.
    slot = f"{{{{fact:{fact.id}|{aspect}}}}}"
    bare = SLOT.sub(lambda match: "x" * len(match.group()), text)
    spot = case.rng.choice([0, *(i + 1 for i, ch in enumerate(bare) if ch == " ")])
    return _changed(case, f"{text[:spot]}{slot} {text[spot:]}")


def slot_left_out(case: Case, truth: Truth) -> DraftSentence | None:
    """A name or a likelihood too few. Leaving out anything else may be bad English and is not false."""
    wanted = ("subject", "likelihood")
    slots = [match for match in SLOT.finditer(case.draft.text) if match["aspect"] in wanted]
    if not slots:
        return None
    match = case.rng.choice(slots)
    return _changed(
        case, re.sub(r" {2,}", " ", case.draft.text[: match.start()] + case.draft.text[match.end() :]).strip()
    )


def spliced(case: Case, truth: Truth) -> DraftSentence | None:
    """What one true sentence is about, with what another says of something else."""
    other = case.rng.choice(truth.sentences)
    head, _, told = _subject_and_rest(case)
    _, tail, other_told = _subject_and_rest(
        Case(other.text, other.draft, other.fact_ids, case.request, case.verifier, case.rng)
    )
    if not head or not tail or told == other_told or told[:1] != other_told[:1]:
        return None
    if any(other_told[1] in meaning for _, _, meaning in case.verifier.reader.terms.find(head)):
        return None  # The words may mean either.
    return _changed(case, head + tail)


def _subject_and_rest(case: Case) -> tuple[str, str, tuple[bool, str | None]]:
    """A drafted sentence cut behind the name it begins with, else before its first slot; and what it is about."""
    text = case.draft.text
    first = SLOT.search(text)
    facts = [fact for fact in map(case.request.facts.get, case.fact_ids) if fact is not None]
    if first is None or not facts:
        return "", "", (False, None)
    named = first.start() == 0 and (first["aspect"] or "value") == "subject"
    cut = first.end() if named else first.start()
    if cut == 0:
        return "", "", (False, None)
    if named:
        return text[:cut], text[cut:], (True, facts[0].subject)
    # The first words have to say what is measured, the last must not.
    terms = case.verifier.reader.terms
    said = terms.find(text[:cut])
    is_silent = not terms.find(SLOT.sub(" ", text[cut:]))
    return text[:cut] if said else "", text[cut:] if is_silent else "", (False, facts[0].metric)


def under_another_story(case: Case, truth: Truth) -> DraftSentence | None:
    """A true sentence that is filed under a story that it is not about."""
    others = [story.id for story in case.request.stories if not truth.holds(case.text, story.id)]
    others += ["no.such.story"] if case.rng.random() < 0.1 else []
    return DraftSentence(case.draft.text, case.rng.choice(others)) if others else None


def _replaced(case: Case, span: tuple[int, int], text: str) -> DraftSentence | None:
    return _changed(case, case.draft.text[: span[0]] + text + case.draft.text[span[1] :])


def _changed(case: Case, draft: str) -> DraftSentence | None:
    """The changed draft; None where it reads the same as before."""
    try:
        after = fill(draft, case.request.facts, case.request.stories)
    except SlotError:
        return DraftSentence(draft, case.draft.story_id)
    facts = [fact for fact in map(case.request.facts.get, after.fact_ids) if fact is not None]
    shown = [(fact.metric, fact.display) for fact in facts]
    if len(set(shown)) < len(shown):
        return None  # Two names have the same figure, so that either may stand with it.
    return None if after.text == case.text else DraftSentence(draft, case.draft.story_id)


SLOT_CORRUPTIONS: dict[str, DraftCorruption] = {
    "slot_of_other_fact": slot_of_other_fact,
    "slot_of_other_aspect": slot_of_other_aspect,
    "slot_of_other_story": slot_of_other_story,
    "slots_exchanged": slots_exchanged,
    "slot_put_in": slot_put_in,
    "slot_left_out": slot_left_out,
    "spliced": spliced,
    "under_another_story": under_another_story,
}
