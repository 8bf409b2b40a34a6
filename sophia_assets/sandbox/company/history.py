"""What the systems around the sale read from the company's journal: who was a customer when, and who was in trouble."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property

from sophia_assets.sandbox.company.model import Account, Note
from sophia_assets.sandbox.company.streams import is_business_day
from sophia_assets.sandbox.company.world import World

# Behaviour changes before anything is decided: customers fade out, fill their seats or file bugs weeks ahead of
# the event. So the simulation runs this many days beyond the last day that is shown.
FORESIGHT_DAYS = 45
# How many days before what happens its echoes begin. None may exceed the foresight.
FADES_BEFORE_LEAVING, FADES_BEFORE_SHRINKING, FADES_BEFORE_TROUBLE, FILLS_BEFORE_GROWING = 42, 30, 7, 35
BUGS_BEFORE_TROUBLE = 14
# The channels in which stories echo.
ESCALATIONS, DEALS, FEEDBACK, LEADERSHIP = "customer-escalations", "sales-deals", "product-feedback", "leadership"


@dataclass
class History:
    """The journal of a company, to be told up to the end of `last`; what lies behind is only foreseen."""

    world: World
    last: int
    customers: dict[int, list[Account]] = field(init=False)
    _midnights: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.customers = _customers(self.world, self.last)

    @property
    def days(self) -> range:
        """Every day to be told."""
        return range(self.world.start, self.last + 1)

    def notes(self, day: int) -> list[Note]:
        """What happened on `day`."""
        return self.world.journal.get(day, [])

    @cached_property
    def foreseen(self) -> list[Note]:
        """Everything noted up to the end of the foresight, oldest first."""
        return [note for day in sorted(self.world.journal) for note in self.world.journal[day]]

    def midnight(self, day: int) -> int:
        """Seconds since the epoch of the local midnight that begins `day`, as of its daytime offset from UTC."""
        found = self._midnights.get(day)
        if found is None:
            found = self._midnights[day] = int(self.world.clock.moment(day, 0).timestamp())
        return found


def _customers(world: World, last: int) -> dict[int, list[Account]]:
    """Who has a subscription at the end of each day, in the order in which they became customers."""
    current: list[Account] = []
    found: dict[int, list[Account]] = {}
    for day in range(world.start, last + 1):
        for note in world.journal.get(day, ()):
            if note.account is not None and note.kind in ("subscribed", "left"):
                current = [account for account in current if account is not note.account]
                if note.kind == "subscribed":
                    current.append(note.account)
        found[day] = current
    return found


@cache
def works(day: int) -> bool:
    """Whether `day` is a business day; remembered, as it is asked very often."""
    return is_business_day(day)


@cache
def work_day_from(day: int) -> int:
    """`day` itself, or the first business day after it."""
    return day if works(day) else work_day_from(day + 1)
