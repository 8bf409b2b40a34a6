"""Satisfaction surveys: how often an account is asked and what it answers.

Scores of an account come from shuffled decks of three, so that its average moves little unless a
story moves it.
"""

from __future__ import annotations

from sophia_assets.sandbox.company.model import Account, Answer
from sophia_assets.sandbox.company.streams import business_day_from
from sophia_assets.sandbox.company.world import World, texts


def start_surveys(world: World, account: Account) -> None:
    """Ask the account regularly from now on, instead of whatever was planned for it."""
    account.survey_round += 1
    stream = world.stream("satisfaction")
    longest = 9 if account.enterprise else 16
    world.at_work(world.day + stream.randint(1, longest), _survey, account, account.survey_round)


def follow_script(account: Account) -> None:
    """Stop the regular surveys; a story plans them from here."""
    account.survey_round += 1


def _survey(world: World, account: Account, round_: int) -> None:
    if account.survey_round != round_ or account.subscription is None:
        return
    stream = world.stream("satisfaction")
    if not account.mood_deck:
        account.mood_deck = list(account.mood)
        stream.shuffle(account.mood_deck)
    score = account.mood_deck.pop()
    if account.enterprise and stream.random() < 0.02:
        score = 3
    answer(world, account, score)
    gap = stream.randint(7, 10) if account.enterprise else stream.randint(16, 22)
    world.at(business_day_from(world.day + gap), _survey, account, round_)


def answer(world: World, account: Account, score: int) -> None:
    """One answer today."""
    if account.subscription is None:
        return
    stream = world.stream("satisfaction")
    bank = texts("comments")[str(score)]
    comment = stream.choice(bank) if stream.random() < (0.8 if score <= 2 else 0.4) else None
    world.answers.append(
        Answer(f"RSP-{world.number('answer'):06d}", account, score, comment, world.work_time("satisfaction"))
    )
    account.answers.append((world.day, score))
