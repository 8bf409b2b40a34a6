"""Accounts, the people who work there, and the sellers who look after them."""

from __future__ import annotations

import unicodedata
from random import Random

from sophia_assets.sandbox.company import calls
from sophia_assets.sandbox.company.model import Account, Contact, Owner
from sophia_assets.sandbox.company.streams import between, is_business_day, poisson
from sophia_assets.sandbox.company.world import World, texts
from sophia_assets.sandbox.company_data import PropertyVersion

_TEAMS = ("Enterprise", "Mid-market", "Customer growth")
_MOODS = ((5, 4, 4), (5, 4, 4), (5, 5, 4), (4, 4, 4), (4, 4, 3))
_INITIAL_CUSTOMERS, _INITIAL_PROSPECTS, _NEW_PER_DAY = 138, 46, 0.2


def hire_owners(world: World) -> None:
    """The sales force, about fourteen at scale 1; one left before the history begins, one joins later."""
    stream = world.streams.of("owners")
    count = max(6, round(14 * world.scale**0.5))
    for index in range(count):
        first, last = _person(stream, world)
        is_lead = index < len(_TEAMS)
        team = _TEAMS[index % len(_TEAMS)]
        world.owners.append(
            Owner(
                id=str(61_280_000 + index * 347 + 11),
                gong_id=str(4_620_190_000_000_000_000 + index * 73_291_553_017 + 29),
                first_name=first,
                last_name=last,
                email=f"{plain_ascii(first)}.{plain_ascii(last)}@{world.profile['domain']}",
                team=team,
                title=f"Head of {team}" if is_lead else "Account Executive",
                skill=stream.uniform(0.75, 1.3),
                joined=world.start + 120 if index == count - 1 else world.start,
                archived=index == count - 2,
            )
        )


def found_accounts(world: World) -> list[Account]:
    """The accounts there are on the first day; returns those that are customers already."""
    stream = world.stream("accounts")
    customers = [new_account(world, stream, 0.37) for _ in range(max(8, round(_INITIAL_CUSTOMERS * world.scale)))]
    for _ in range(max(4, round(_INITIAL_PROSPECTS * world.scale))):
        new_account(world, stream, 0.22)
    for _ in range(max(1, round(14 * world.scale))):
        _new_contact(world, stream, None)
    return customers


def meet_accounts(world: World) -> None:
    """Today's newly found prospects, and the people newly met at accounts already known."""
    if not is_business_day(world.day):
        return
    stream = world.stream("accounts")
    for _ in range(poisson(stream, _NEW_PER_DAY * world.scale)):
        calls.schedule_check_ins(world, new_account(world, stream, 0.22))
    for _ in range(poisson(stream, 1.15 * world.scale)):
        account = stream.choice(world.accounts)
        if len(account.contacts) < 12:
            _new_contact(world, stream, account)


def new_account(world: World, stream: Random, enterprise_share: float) -> Account:
    """A company met today, with its first contacts."""
    enterprise = stream.random() < enterprise_share
    name, industry = _company_name(world, stream)
    domain = _unused(world, plain_ascii(name.split(",")[0].replace("&", "and").replace(" ", "")), ".example")
    employees = int(between(stream, 2600 if enterprise else 320, 0.7, 25, 60_000))
    active = [owner for owner in world.owners if not owner.archived and owner.joined <= world.day]
    teams = ("Enterprise",) if enterprise else ("Mid-market", "Customer growth")
    created = world.work_time("accounts")
    account = Account(
        id=str(18_240_000_000 + world.number("company") * 9_173),
        name=name,
        warehouse_name=_warehouse_name(name, stream),
        domain=domain,
        industry=industry if stream.random() > 0.05 else None,
        country=_weighted(stream, texts("names")["countries"]),
        revenue=int(employees * stream.uniform(90, 310)) * 1000 if stream.random() > 0.12 else None,
        employees=employees if stream.random() > 0.04 else None,
        enterprise=enterprise,
        owner=stream.choice([owner for owner in active if owner.team in teams] or active),
        created=created,
        updated=created,
        mood=stream.choice(_MOODS[:3] if enterprise else _MOODS),
    )
    account.lifecycle.append(PropertyVersion("lead", created))
    world.accounts.append(account)
    for _ in range(stream.choice((2, 3, 3, 4) if not enterprise else (4, 5, 6))):
        _new_contact(world, stream, account)
    return account


def set_lifecycle(world: World, account: Account, stage: str) -> None:
    """Move an account and its people to a lifecycle stage (lead, opportunity, customer, other)."""
    if account.lifecycle[-1].value == stage:
        return
    account.updated = world.after(max(account.updated, account.lifecycle[-1].timestamp), "lifecycle")
    account.lifecycle.append(PropertyVersion(stage, account.updated))
    for contact in account.contacts:
        if contact.archived is None:
            contact.updated = world.after(contact.updated, "lifecycle")
            contact.lifecycle.append(PropertyVersion(stage, contact.updated))


def _new_contact(world: World, stream: Random, account: Account | None) -> None:
    first, last = _person(stream, world)
    domain = account.domain if account else "mailbox.example"
    created = world.work_time("accounts")
    owners = [owner for owner in world.owners if not owner.archived and owner.joined <= world.day]
    contact = Contact(
        id=str(301_000_000 + world.number("contact") * 151),
        account=account,
        first_name=first,
        last_name=last,
        email=_unused(world, f"{plain_ascii(first)}.{plain_ascii(last)}", f"@{domain}"),
        job_title=stream.choice(texts("names")["job_titles"]),
        owner=account.owner if account else stream.choice(owners),
        created=created,
        updated=created,
    )
    contact.lifecycle.append(PropertyVersion(account.lifecycle[-1].value if account else "lead", created))
    world.contacts.append(contact)
    if account is not None:
        account.contacts.append(contact)
    if stream.random() < 0.012:
        world.at_work(world.day + stream.randint(20, 200), _archive_contact, contact)


def _archive_contact(world: World, contact: Contact) -> None:
    if contact.account is None or len([c for c in contact.account.contacts if c.archived is None]) > 2:
        contact.archived = world.after(contact.updated, "lifecycle")


def _company_name(world: World, stream: Random) -> tuple[str, str]:
    names = texts("names")
    industry = stream.choice(sorted(names["industries"]))
    while True:
        head, tail = stream.choice(names["heads"]), stream.choice(names["tails"])
        kind = stream.choice(names["industries"][industry])
        shape = stream.random()
        if shape < 0.03:
            core = f"{stream.choice(names['flourishes'])} {kind}"
        elif shape < 0.14 or world.number("company name") > 20_000 * max(1.0, world.scale):
            core = f"{head}{tail} & {stream.choice(names['heads'])}{stream.choice(names['tails'])} {kind}"
        else:
            core = f"{head}{tail} {kind}"
        if core not in world.taken_names:
            world.taken_names.add(core)
            return core + stream.choice(names["suffixes"]), industry


def _warehouse_name(name: str, stream: Random) -> str:
    """Most systems agree on a name; finance drops punctuation in some, shouts in a few."""
    draw = stream.random()
    if draw < 0.05:
        return name.replace(",", "").replace(".", "")
    return name.upper() if draw < 0.065 else name


def _person(stream: Random, world: World) -> tuple[str, str]:
    names = texts("names")
    return stream.choice(names["first_names"]), stream.choice(names["last_names"])


def _unused(world: World, stem: str, ending: str) -> str:
    candidate, count = stem + ending, 1
    while candidate in world.taken_names:
        count += 1
        candidate = f"{stem}{count}{ending}"
    world.taken_names.add(candidate)
    return candidate


def plain_ascii(text: str) -> str:
    """Only the letters and digits of `text`, lower case and without accents, as e-mail addresses have them."""
    plain = unicodedata.normalize("NFKD", text.replace("ø", "o").replace("Ø", "O").replace("Æ", "Ae").replace("Ł", "L"))
    return "".join(char for char in plain if char.isascii() and char.isalnum()).lower()


def _weighted(stream: Random, choices: list[list[object]]) -> str:
    point = stream.random() * sum(int(str(weight)) for _, weight in choices)
    for value, weight in choices:
        point -= int(str(weight))
        if point <= 0:
            return str(value)
    return str(choices[-1][0])
