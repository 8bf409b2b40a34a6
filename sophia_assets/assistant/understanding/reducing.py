"""Several mentions of metrics that are one noun phrase: `recurring revenue` that is `up for renewal` is one figure.

Belongs here: which of them says it all. Does not belong here: finding mentions (`metric_words`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sophia_assets.assistant.understanding.metric_words import Mention, MetricWords
from sophia_assets.assistant.understanding.vocabulary import TOPICS
from sophia_assets.assistant.understanding.words import Token


def reduced(mentions: Sequence[Mention], tokens: Sequence[Token], words: MetricWords, *, is_one: bool) -> list[Mention]:
    """The mentions without those whose words another one's metric is about anyway.

    With `is_one` nothing lies between them that would tell them apart; otherwise only words of no certain meaning go.
    """
    kept = sorted(mentions, key=lambda mention: (-mention.is_certain, -len(mention.tokens), mention.tokens))
    if len(kept) < 2:
        return list(mentions)
    place = 0
    while place < len(kept):
        for other in [each for each in kept if each is not kept[place]]:
            mention = kept[place]
            if other.topic is not None and set(mention.candidates) & set(TOPICS[other.topic].metrics):
                kept.remove(other)
                place = -1
                break
            if other.topic is not None or mention.topic is not None:
                continue
            if is_one or not other.is_certain:
                about = _about(mention, other, tokens, words)
                if about:
                    kept[place] = replace(mention, candidates=about)
                    kept.remove(other)
                    place = -1
                    break
        place += 1
    return sorted(kept, key=lambda mention: mention.tokens)


def _about(mention: Mention, other: Mention, tokens: Sequence[Token], words: MetricWords) -> tuple[str, ...]:
    """The candidates of a mention that the words of another one add nothing to."""
    stems = {tokens[place].stem for place in other.tokens}
    shared = tuple(name for name in mention.candidates if name in other.candidates)
    return shared or tuple(name for name in mention.candidates if stems <= words.support[name])
