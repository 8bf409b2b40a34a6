"""Everybody who works at the simulated company: the sellers of the CRM, and their colleagues in the other teams."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sophia_assets.sandbox.company.accounts import plain_ascii
from sophia_assets.sandbox.company.model import Owner
from sophia_assets.sandbox.company.world import World, texts

SALES, ENGINEERING, PRODUCT, SUPPORT, LEADERSHIP, OFFICE = (
    "Sales", "Engineering", "Product", "Support", "Leadership", "Office",
)  # fmt: skip
# Department, title, how many at scale 1, whether the team grows with the company, days after the first on which the
# last one of them joins (0: there from the beginning), days after which the first one leaves (0: stays).
_PLAN: tuple[tuple[str, str, int, bool, int, int], ...] = (
    (LEADERSHIP, "Chief Executive Officer", 1, False, 0, 0),
    (LEADERSHIP, "Chief Technology Officer", 1, False, 0, 0),
    (LEADERSHIP, "Chief Financial Officer", 1, False, 0, 0),
    (ENGINEERING, "Engineering Manager", 2, False, 0, 0),
    (ENGINEERING, "Software Engineer", 8, True, 95, 265),
    (ENGINEERING, "Senior Software Engineer", 4, True, 0, 0),
    (PRODUCT, "Product Manager", 3, True, 0, 0),
    (PRODUCT, "Product Designer", 1, False, 0, 0),
    (SUPPORT, "Head of Support", 1, False, 0, 0),
    (SUPPORT, "Support Engineer", 5, True, 180, 0),
    (OFFICE, "Finance Manager", 1, False, 0, 0),
    (OFFICE, "People Partner", 1, False, 0, 0),
)
_SLACK_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(eq=False)
class Colleague:
    """An employee with the ids that chat and delivery know them by; `left` is the first day on which they are gone."""

    first_name: str
    last_name: str
    email: str
    department: str
    title: str
    joined: int
    left: int | None
    chat_id: str
    delivery_id: str
    owner: Owner | None = None

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    def works_on(self, day: int) -> bool:
        """Whether they are employed on `day`."""
        return self.joined <= day and (self.left is None or day < self.left)


def employ(world: World) -> list[Colleague]:
    """Everybody who ever works here, sellers first, in an order that never changes."""
    stream = world.streams.of("staff")
    staff = [_seller(world, stream, owner) for owner in world.owners]
    taken = {colleague.email for colleague in staff}
    for department, title, usual, grows, last_joins, first_leaves in _PLAN:
        count = max(min(usual, 2), round(usual * world.scale**0.5)) if grows else usual
        for index in range(count):
            joined = world.start + (last_joins if index == count - 1 else 0)
            left = world.start + first_leaves if first_leaves and index == 0 else None
            first, last, email = _new_person(world, stream, taken)
            ids = chat_id(stream), uuid(stream)
            staff.append(Colleague(first, last, email, department, title, joined, left, *ids))
    return staff


def chat_id(stream: Random, prefix: str = "U0") -> str:
    """An id as Slack gives them."""
    return prefix + "".join(stream.choices(_SLACK_ALPHABET, k=9))


def uuid(stream: Random) -> str:
    """An id as Linear gives them."""
    text = f"{stream.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _seller(world: World, stream: Random, owner: Owner) -> Colleague:
    left = world.start - 30 if owner.archived else None
    joined = world.start if owner.joined <= world.start else owner.joined
    ids = chat_id(stream), uuid(stream)
    return Colleague(
        owner.first_name, owner.last_name, owner.email, SALES, owner.title, joined, left, *ids, owner=owner
    )


def _new_person(world: World, stream: Random, taken: set[str]) -> tuple[str, str, str]:
    names = texts("names")
    while True:
        first, last = stream.choice(names["first_names"]), stream.choice(names["last_names"])
        email = f"{plain_ascii(first)}.{plain_ascii(last)}@{world.profile['domain']}"
        if email not in taken:
            taken.add(email)
            return first, last, email
