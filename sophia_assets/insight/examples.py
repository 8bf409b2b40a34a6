"""Three short examples for the model, each with a sentence as it must not be and one as it should be.

Their slots are placeholders (`{{fA}}`) that no real prompt has: who copies one has its sentence refused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A sentence that code refuses, why, and one about the same that code lets through."""

    section: str
    bad: str
    why: str
    good: str
    story: str = ""


EXAMPLES: tuple[Example, ...] = (
    Example(
        section="performance",
        bad="Bookings dropped sharply to {{fA}} because big deals slipped.",
        why="It puts a direction, a magnitude and a cause into words of its own, and it names no period.",
        good="Bookings are {{fA}} {{fA|period}}, {{fA|direction}} {{fA|delta}} from {{fA|previous_period}}.",
    ),
    Example(
        section="risks",
        bad="This key account pays $28K and might churn soon.",
        why="It names nobody, writes a figure out, and guesses instead of using the story's likelihood.",
        good="{{sA}}, which pays {{fB}} a month and renews in {{fC}}, is {{sA|likelihood}} to leave.",
        story="sA",
    ),
    Example(
        section="actions",
        bad="Somebody should look into {{sA}} as soon as possible.",
        why="It has no verb of a step, no owner and no day.",
        good="Agree a recovery plan with {{sA}}: {{sA|owner}}, by {{sA|due}}.",
        story="sA",
    ),
)


def examples_text() -> str:
    """The examples as the system's text shows them."""
    return "\n".join(
        f"In {example.section}, refused: {example.bad}\nWhy: {example.why}\nInstead: {example.good}"
        for example in EXAMPLES
    )
