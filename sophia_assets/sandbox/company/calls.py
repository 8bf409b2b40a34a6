"""Recorded calls: who talks to whom when, and what is said.

A tracker counts the sentences that contain one of its phrases, so what a tracker says and what the
transcript says cannot differ.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from random import Random

from sophia_assets.sandbox.company.model import Account, Contact, Deal
from sophia_assets.sandbox.company.world import World, texts
from sophia_assets.sandbox.company_data import GongCall

TRACKER_PHRASES = {
    "Churn risk": r"cancel|not renew|end the contract|switch away|walk away",
    "Pricing": r"\bpric(?:e|es|ing)\b|discount|budget",
    "Expansion": r"additional seats|more seats|roll it out to|other departments|more teams",
}
COMPETITOR_TRACKER = "Competitor: "
_TOPICS = {
    "opening": "Small talk", "discovery": "Needs", "evaluation": "Demo", "proposal": "Proposal", "contract": "Contract",
    "checkin": "Adoption", "trouble": "Support issues", "delay": "Timeline", "pricing": "Pricing",
    "competitor": "Alternatives", "churn": "Renewal", "expansion": "Growth", "closing": "Next steps",
}  # fmt: skip
_BY_STAGE = ("discovery", "discovery", "evaluation", "proposal", "contract")
_TITLES = {
    "discovery": "{account}: discovery call", "evaluation": "{account}: {product} demo",
    "proposal": "{account}: proposal review", "contract": "{account}: contract review",
    "checkin": "{account}: check-in", "trouble": "{account}: service review",
    "delay": "{account}: timeline update",
}  # fmt: skip
_PRICING_CHANCE = {"discovery": 0.08, "evaluation": 0.2, "proposal": 0.5, "contract": 0.3}
_MILLISECONDS_PER_WORD, _LONGEST_PAUSE_MS, _QUARTER_HOUR_MS = 400, 110_000, 900_000


@cache
def _bank() -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """Per segment its lines: who speaks (R seller, C customer), the template, the trackers it hits."""
    return {
        segment: [
            (who, line, tuple(name for name, phrases in TRACKER_PHRASES.items() if re.search(phrases, line, re.I)))
            for who, line in lines
        ]
        for segment, lines in texts("transcripts").items()
        if segment != "slots"
    }


def talk_about_deal(world: World, deal: Deal, stage: int) -> None:
    """A sales call today, unless the deal has moved on meanwhile."""
    if not deal.is_open or deal.stage != stage:
        return
    subject, stream = _BY_STAGE[stage], world.stream("calls")
    extras = ["pricing"] if stream.random() < _PRICING_CHANCE[subject] else []
    competitor = None
    if subject in ("evaluation", "proposal") and stream.random() < 0.1:
        competitor = _competitor_of_the_day(world, stream)
    hold_call(world, deal.account, subject, extras, deal=deal, competitor=competitor)


def schedule_check_ins(world: World, account: Account) -> None:
    """Begin the regular customer calls with an account."""
    gap = 75 if account.enterprise else 170
    world.at_work(world.day + world.stream("calls").randint(3, gap), _check_in, account)


def _check_in(world: World, account: Account) -> None:
    stream = world.stream("calls")
    low, high = (50, 85) if account.enterprise else (120, 190)
    world.at_work(world.day + stream.randint(low, high), _check_in, account)
    if account.subscription is None or account.in_story_until >= world.day:
        return
    draw = stream.random()
    extras = ["expansion"] if draw < 0.08 else ["trouble", "churn"] if draw > 0.994 else []
    hold_call(world, account, "checkin", extras)


def mention_competitor(world: World, competitor: str) -> None:
    """A sales call today in which the customer brings up `competitor`."""
    stream = world.stream("calls")
    late = [deal for deal in world.open_deals.values() if deal.stage >= 2] or list(world.open_deals.values())
    if late:
        deal = stream.choice(late)
        subject = _BY_STAGE[deal.stage]
        extras = ["pricing"] if stream.random() < 0.3 else []
        hold_call(world, deal.account, subject, extras, deal=deal, competitor=competitor)


def _competitor_of_the_day(world: World, stream: Random) -> str | None:
    """A competitor for an ordinary mention; none is named much more often than the others."""
    name = str(stream.choice(texts("names")["competitors"]))
    recent = sum(1 for day in world.mentions[name] if day > world.day - 30)
    if world.muted_competitors.get(name, 0) >= world.day or recent >= 2 * max(1.0, world.scale):
        return None
    return name


def hold_call(
    world: World,
    account: Account,
    subject: str,
    extras: list[str],
    *,
    deal: Deal | None = None,
    competitor: str | None = None,
) -> None:
    """A recorded call today about `subject`; `extras` are further segments that it contains."""
    stream = world.stream("calls")
    people = [contact for contact in account.contacts if contact.archived is None]
    guests = stream.sample(people, min(len(people), stream.choice((1, 2, 2, 3))))
    if not guests:
        return
    number = world.number("call")
    call_id = str(7_310_000_000_000_000_000 + number * 104_729_000_017)
    owner = deal.owner if deal else account.owner
    host_voice = str(8_100_000_000_000_000_000 + number * 7_919 * 16)
    voices = [str(int(host_voice) + index) for index in range(1, len(guests) + 1)]
    call = GongCall(
        id=call_id,
        title=_TITLES[subject].format(account=account.name.split(",")[0], product=world.profile["product"]),
        started=world.clock.moment(world.day, _free_slot(world, stream, owner.id)),
        duration_s=0,
        primary_user_id=owner.gong_id,
        parties=[_host(call_id, owner.gong_id, owner.name, owner.email, owner.title, host_voice)]
        + [_guest(call_id, index, guest, voices[index]) for index, guest in enumerate(guests)],
        direction=stream.choice(("Conference", "Conference", "Conference", "Outbound", "Inbound")),
        account_id=account.id,
        account_name=account.name,
        deal_id=deal.id if deal else None,
    )
    segments = ["opening", subject, *extras, *(["competitor"] if competitor else []), "closing"]
    words = _slots(world, stream, account, owner.first_name, guests, competitor)
    _speak(stream, call, segments, words, host_voice, voices)
    if competitor:
        world.mentions[competitor].append(world.day)
        world.note("competitor", account, name=competitor, call=call)
    if deal:
        deal.last_activity = world.day
        deal.active_at = max(deal.active_at, call.started + timedelta(seconds=call.duration_s))
    world.calls.append(call)
    world.note("call", account, deal=deal, call=call)


def _speak(
    stream: Random, call: GongCall, segments: list[str], words: dict[str, list[str]], host: str, guests: list[str]
) -> None:
    clock_ms = stream.randint(2_000, 9_000)
    for segment in segments:
        lines = _bank()[segment]
        for index in sorted(stream.sample(range(len(lines)), min(len(lines), _length(stream, segment)))):
            who, template, hits = lines[index]
            chosen = {slot: values[int(stream.random() * len(values))] for slot, values in words.items()}
            text = template.format(**chosen)
            text = text[0].upper() + text[1:]
            speaker = host if who == "R" else guests[0] if stream.random() < 0.7 else stream.choice(guests)
            end = clock_ms + _MILLISECONDS_PER_WORD * (2 + text.count(" "))
            call.sentences.append((speaker, _TOPICS[segment], clock_ms, end, text))
            clock_ms = end + int(stream.random() * _LONGEST_PAUSE_MS)
            for tracker in hits:
                call.trackers[tracker] = call.trackers.get(tracker, 0) + 1
            if segment == "competitor":
                tracker = COMPETITOR_TRACKER + words["competitor"][0]
                call.trackers[tracker] = call.trackers.get(tracker, 0) + 1
    call.duration_s = clock_ms // 1000 + stream.randint(5, 40)


def _length(stream: Random, segment: str) -> int:
    if segment in ("opening", "closing"):
        return stream.randint(5, 7)
    if segment in ("pricing", "competitor", "churn", "expansion"):
        return stream.randint(2, 4)
    if segment in ("delay", "trouble"):
        return stream.randint(8, 10)
    return stream.randint(11, 16)


def _slots(
    world: World, stream: Random, account: Account, rep: str, guests: list[Contact], competitor: str | None
) -> dict[str, list[str]]:
    """What may stand in each slot of a template during one call."""
    slots = texts("transcripts")["slots"]
    others = [c.first_name for c in account.contacts if c not in guests] or ["my manager"]
    teams, tools = stream.sample(slots["team"], 4), stream.sample(slots["tool"], 3)
    return {
        "company": [world.profile["name"]],
        "product": [world.profile["product"]],
        "module": texts("names")["modules"],
        "account": [account.name.split(",")[0]],
        "rep": [rep],
        "contact": [guests[0].first_name],
        "other": others[:2],
        "competitor": [competitor or ""],
        "team": teams[:2],
        "team2": teams[2:],
        "tool": tools[:2],
        "tool2": tools[2:],
        "pain": stream.sample(slots["pain"], 3),
        "goal": stream.sample(slots["goal"], 2),
        **{name: slots[name] for name in ("day", "count", "share", "period")},
    }


def _free_slot(world: World, stream: Random, owner_id: str) -> int:
    """Milliseconds after midnight of a quarter hour at which the seller is free, if there is one."""
    slot = 0
    for _ in range(6):
        slot = stream.randint(33, 66)
        hour = slot // 4
        if (owner_id, world.day, hour) not in world.busy:
            world.busy.add((owner_id, world.day, hour))
            break
    return slot * _QUARTER_HOUR_MS + stream.randint(0, 170) * 1000


def _host(call_id: str, user_id: str, name: str, email: str, title: str, voice: str) -> dict[str, object]:
    return {
        "id": f"{call_id}0", "emailAddress": email, "name": name, "title": title, "userId": user_id,
        "speakerId": voice, "affiliation": "Internal", "methods": ["Invitee"],
    }  # fmt: skip


def _guest(call_id: str, index: int, contact: Contact, voice: str) -> dict[str, object]:
    return {
        "id": f"{call_id}{index + 1}", "emailAddress": contact.email, "name": contact.name, "title": contact.job_title,
        "userId": None, "speakerId": voice, "affiliation": "External", "methods": ["Invitee"],
    }  # fmt: skip
