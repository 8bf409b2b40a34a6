"""The things the simulated company consists of. Days are proleptic ordinals, moments aware UTC, money whole USD."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sophia_assets.sandbox.company_data import GongCall, HubSpotStage, PropertyVersion

STAGES = (
    HubSpotStage("appointmentscheduled", "Discovery", 0, 0.1, False),
    HubSpotStage("qualifiedtobuy", "Qualified", 1, 0.2, False),
    HubSpotStage("presentationscheduled", "Evaluation", 2, 0.4, False),
    HubSpotStage("decisionmakerboughtin", "Proposal", 3, 0.6, False),
    HubSpotStage("contractsent", "Contract review", 4, 0.8, False),
    HubSpotStage("closedwon", "Closed won", 5, 1.0, True),
    HubSpotStage("closedlost", "Closed lost", 6, 0.0, True),
)
EVALUATION, PROPOSAL, CONTRACT, WON, LOST = 2, 3, 4, 5, 6


@dataclass(eq=False)
class Owner:
    """A seller, known to HubSpot and Gong; `skill` multiplies the odds of winning."""

    id: str
    gong_id: str
    first_name: str
    last_name: str
    email: str
    team: str
    title: str
    skill: float
    joined: int
    archived: bool = False

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(eq=False)
class Contact:
    """A person at an account, or of no account at all."""

    id: str
    account: Account | None
    first_name: str
    last_name: str
    email: str
    job_title: str
    owner: Owner
    created: datetime
    updated: datetime
    lifecycle: list[PropertyVersion] = field(default_factory=list)
    archived: datetime | None = None

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


@dataclass(eq=False)
class Account:
    """A company that buys or may buy. `warehouse_name` is how the finance systems spell it."""

    id: str
    name: str
    warehouse_name: str
    domain: str
    industry: str | None
    country: str
    revenue: int | None
    employees: int | None
    enterprise: bool
    owner: Owner
    created: datetime
    updated: datetime
    contacts: list[Contact] = field(default_factory=list)
    lifecycle: list[PropertyVersion] = field(default_factory=list)
    subscription: Subscription | None = None
    new_business_open: bool = False
    mood: tuple[int, ...] = (5, 4, 4)
    mood_deck: list[int] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    survey_round: int = 0
    in_story_until: int = 0
    withholding: bool = False
    unpaid: list[Invoice] = field(default_factory=list)

    @property
    def short_name(self) -> str:
        """The name without what follows a comma, as people say it."""
        return self.name.split(",")[0]


@dataclass(eq=False)
class Deal:
    """A sale in progress or done. `close_day` is the forecast while open, the day of the decision after.

    `active_at` is the last work on it, calls included, which do not touch the CRM record.
    """

    id: str
    name: str
    account: Account
    owner: Owner
    kind: str
    created: datetime
    updated: datetime
    active_at: datetime
    close_day: int
    amount: int | None = None
    stage: int = 0
    entered: int = 0
    next_stage: int = 1
    pushes: int = 0
    scripted: bool = False
    duplicate: bool = False
    archived: datetime | None = None
    lost_reason: str | None = None
    last_activity: int = 0
    history: dict[str, list[PropertyVersion]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether it can still be won."""
        return self.stage < WON and self.archived is None


@dataclass(eq=False)
class Term:
    """A span of a subscription under unchanged conditions; `valid_to` is exclusive, None while running."""

    id: str
    plan: str
    seats: int
    mrr: int
    change: str
    valid_from: int
    renewal: int
    updated: datetime
    valid_to: int | None = None


@dataclass(eq=False)
class Subscription:
    """What an account pays for, month by month."""

    id: str
    account: Account
    billing_day: int
    terms: list[Term] = field(default_factory=list)
    next_bill: int = 0
    ends_at_renewal: bool = False

    @property
    def current(self) -> Term:
        """The newest term."""
        return self.terms[-1]


@dataclass(eq=False)
class Invoice:
    """A bill to an account; `subscription` is None for one-off services."""

    id: str
    account: Account
    subscription: Subscription | None
    amount: int
    issued: int
    due: int
    status: str
    updated: datetime
    paid: int | None = None


@dataclass(eq=False)
class Answer:
    """One answer to a satisfaction survey, 1 (bad) to 5 (good)."""

    id: str
    account: Account
    score: int
    comment: str | None
    responded: datetime


@dataclass(eq=False)
class Note:
    """One line of the company's journal: what happened on a day, for the systems in which it echoes.

    Kinds: subscribed, expansion, contraction, renewal, left; at_risk (until the renewal on `until`; `leaves`
    says how it ends), withholding (unpaid from `until` on), settled; complaint; opened, won,
    lost, pushed (a deal); call; competitor (`name` was brought up); standstill (`name` is the stage).
    """

    kind: str
    day: int
    account: Account | None = None
    deal: Deal | None = None
    call: GongCall | None = None
    amount: int = 0
    until: int = 0
    leaves: bool = False
    name: str = ""
