"""Takes the words of a question that mean metrics, and those that only add to them.

Belongs here: in which order phrases, adjectives and lone words are taken for metrics. Does not belong here: the phrases
(`metric_words`), which metric is meant (`metric_choice`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import Noun
from sophia_assets.assistant.understanding.metric_choice import has_unit
from sophia_assets.assistant.understanding.metric_words import Mention
from sophia_assets.assistant.understanding.reducing import reduced
from sophia_assets.assistant.understanding.taking import Taking
from sophia_assets.assistant.understanding.vocabulary import (
    CONTRARY,
    DIMENSION_STEMS,
    FUNCTION_WORDS,
    GAINING,
    NAMED_BY,
    ORDERS,
    OWNER_QUALITIES,
    PAST,
    QUALITIES,
    QUALITY_NOUNS,
    SUPPORTING,
    UNIT_WORDS,
)  # fmt: skip
from sophia_assets.assistant.understanding.words import Token
from sophia_assets.insight.lexicon import word_set

_BARRIERS = word_set("and or vs versus with than by per against compared plus , ; : / -")
_BETWEEN_METRICS = word_set("and or , vs versus with plus against than ; : /")
_TALK = word_set("hear talk speak discuss raise bring complain mention customer come up account people")
_JOINING = _BETWEEN_METRICS | word_set("compared compare to from between")
_JOINING_LIKE = word_set("and or vs versus than against")
_SEPARATORS = _BETWEEN_METRICS - {"with", "than"}
_DEGREES = word_set("how most least less more so very")
_MOST_SINGLES = 3


class MetricTaking(Taking):
    """Takes words for metrics."""

    def _take_mentions(self, found: Iterable[Mention]) -> None:
        heads = {place for noun in self.nouns for place in noun.tokens if not noun.is_grouping}
        for mention in found:
            if all(token not in self.used or token in heads for token in mention.tokens):
                self._take(mention.tokens, "metric")
                self.mentions.append(mention)

    def _take_qualities(self, *, is_first: bool) -> None:
        """`how satisfied`, `least healthy`: the score that an adjective asks for."""
        nouns = {place for place, by in self.used.items() if by == "noun"}
        for place in sorted(self.free | nouns):
            token = self.tokens[place]
            is_of_people = any(noun.dimension == "owner" for noun in self.nouns)
            metric = (OWNER_QUALITIES if is_of_people else {}).get(token.stem) or QUALITIES.get(token.stem)
            before = self.tokens[place - 1].folded if place else ""
            is_said = token.folded in ORDERS or token.folded in QUALITY_NOUNS
            asks = before in _DEGREES or (not is_first and is_said)
            if metric is None or metric not in self.ground.known.metrics or not asks:
                continue
            if token.folded in CONTRARY and self.order != "smallest":
                self.order = "smallest"
            self._take([place], "metric")
            self.mentions.append(Mention((place,), (metric,)))

    def _runs(self) -> list[list[int]]:
        """Runs of words that may belong to one phrase; names and times between them do not matter."""
        shareable = {place for noun in self.nouns if not noun.is_grouping for place in noun.tokens}
        vocabulary = self._words.carrying
        runs: list[list[int]] = [[]]
        for place, token in enumerate(self.tokens):
            if token.folded in _BARRIERS and self.used.get(place) != "name":
                runs.append([])
            elif place in self.used and place not in shareable:
                continue
            elif token.is_word and (
                token.folded not in FUNCTION_WORDS or token.stem in UNIT_WORDS or token.folded in vocabulary
            ):
                runs[-1].append(place)
        return [run for run in runs if len(run) > 1]

    def _take_singles(self) -> None:
        """Further words of the catalog, where one metric or a few may be meant by them."""
        for place in sorted(self.free):
            token = self.tokens[place]
            if token.folded in FUNCTION_WORDS or token.stem in UNIT_WORDS:
                continue
            if Cue.OVERVIEW in self.cues and token.folded in SUPPORTING["overview"]:
                continue
            candidates = self._words.single(token.stem)
            if any(set(candidates) & set(mention.candidates) for mention in self.mentions):
                self._take([place], "supporting")
            elif candidates and len(candidates) <= _MOST_SINGLES and not self._has_mention():
                self._take([place], "metric")
                self.mentions.append(Mention((place,), candidates, is_certain=False))

    def _take_partial(self) -> None:
        """Words that stand in the names of one metric alone, where no other one is named: taken with a word of it."""
        if self.mentions or self.cues & {Cue.QUOTES, Cue.COMPANY, Cue.HELP, Cue.FRESHNESS}:
            return
        left = [place for place in sorted(self.free) if self.tokens[place].is_word]
        heads = [place for noun in self.nouns if noun.is_head and not noun.is_who for place in noun.tokens]
        if not left or any(self.tokens[place].is_capital and place for place in left):
            return
        found = set(self._words.partial(self.tokens[left[0]].stem))
        for place in left[1:]:
            found &= set(self._words.partial(self.tokens[place].stem))
        dimensions = {use.names[0].dimension for use in self.names}
        dimensions |= {noun.dimension for noun in self.nouns if noun.is_head and not noun.is_who} - {"kind"}
        found = {name for name in found if dimensions <= set(self.ground.known.metrics[name].dimensions)}
        if len(found) == 1:
            metric = self.ground.known.metrics[min(found)]
            self._take([*left, *heads], "metric")
            self.mentions.append(Mention(tuple(left), (metric.name,), is_certain=False))
            said = " ".join(self.tokens[place].text for place in left)
            self.notes.append(f"“{said}” is taken as {metric.spoken}.")

    def _take_elided(self) -> None:
        """`Bugs fixed vs reported`, `new and existing business`: a word leaves out the noun that it shares."""
        for place in self._free_words():
            for mention in list(self.mentions):
                start, end = sorted((place, mention.tokens[0]))
                if not any(token.folded in _JOINING_LIKE for token in self.tokens[start:end]):
                    continue
                word = self.tokens[place].stem
                shared = [self.tokens[each].stem for each in mention.tokens]
                found = {name for stem in shared for name in self._words.named({stem, word})}
                if len(found) == 1 and place in self.free and not found & set(mention.candidates):
                    self._take([place], "metric")
                    self.mentions.append(Mention((place,), (min(found),)))

    def _drop_speakers(self, head: Noun) -> None:
        """In `which topics do customers bring up`, customers are who speaks, and no figure."""
        is_talk = Cue.MENTIONED in self.cues or any(self.tokens[place].stem in _TALK for place in self.free)
        if head.dimension not in NAMED_BY or not is_talk:
            return
        for mention in list(self.mentions):
            if all(DIMENSION_STEMS.get((self.tokens[place].stem,)) == "account" for place in mention.tokens):
                self.mentions.remove(mention)

    def _joins_figures(self, place: int) -> bool:
        """Whether a free word stands between figures, and not between two names."""
        beside = {self.used.get(place - 1), self.used.get(place + 1)}
        return place in self.free and self.tokens[place].folded in _BETWEEN_METRICS and beside != {"name"}

    def _reduce(self) -> None:
        """Mentions that are one noun phrase become the one metric that all of its words are about."""
        head = next((noun for noun in self.nouns if noun.is_head), None)
        if head:
            self._drop_speakers(head)
        if head and len(self.mentions) + len(self._free_words()) > 1:
            self._drop_heads(head)
        if any(map(self._joins_figures, range(len(self.tokens)))) or (self.cues & {Cue.COMPARE, Cue.VERSUS}):
            self.mentions = reduced(self.mentions, self.tokens, self._words, is_one=False)
        else:
            self.mentions = reduced(self.mentions, self.tokens, self._words, is_one=True)

    def _drop_heads(self, head: Noun) -> None:
        """In `which accounts use the product`, accounts are what is asked for, and no part of the metric's name."""
        wrong = [
            mention
            for mention in self.mentions
            if set(mention.tokens) & set(head.tokens)
            and not any(head.dimension in self.ground.known.metrics[each].dimensions for each in mention.candidates)
        ]
        for mention in wrong:
            self.mentions.remove(mention)
            for place in set(mention.tokens) - set(head.tokens):
                self.used.pop(place, None)
        if wrong:
            free = self.free - set(head.tokens)
            self._take_mentions(self._words.literal(self.tokens, free))
            self._take_singles()

    def _redirect(self) -> None:
        """Where words are left that a metric is not about: the one metric that is about all of them, if any."""
        if len(self.mentions) != 1 or self.mentions[0].topic is not None:
            return
        mention = self.mentions[0]
        left = self._free_words()
        stems = {self.tokens[place].stem for place in left}
        if not left or any(stems <= self._words.support[each] for each in mention.candidates):
            return
        units = {UNIT_WORDS[self.tokens[place].stem] for place in self.free if self.tokens[place].stem in UNIT_WORDS}
        wanted = stems | {self.tokens[place].stem for place in mention.tokens}
        found = [
            each
            for each in self._words.with_all(wanted)
            if all(has_unit(self.ground.known.metrics[each], unit) for unit in units)
            and stems & set(self._words.own_stems(each))
        ]
        if len(found) == 1:
            self.mentions = [Mention(tuple(sorted((*mention.tokens, *left))), (found[0],))]
            self._take(left, "metric")
            said = " ".join(self.tokens[place].text for place in self.mentions[0].tokens)
            self.notes.append(f"“{said}” is taken as {self.ground.known.metrics[found[0]].spoken}.")

    def _asks_for_increase(self, token: Token) -> bool:
        """`How many customers did we get` asks for the increase of what stands at a day, and no metric here is that."""
        if token.folded not in GAINING or not self.mentions:
            return False
        metrics = [self.ground.known.metrics[each] for mention in self.mentions for each in mention.candidates]
        is_past = any(each.folded in PAST for each in self.tokens)
        return is_past and all(metric.kind == "stock" for metric in metrics)

    def _supports(self, token: Token) -> bool:
        """Whether a word only repeats what a metric that was spotted is about."""
        return any(
            token.stem in self._words.support[each] for mention in self.mentions for each in mention.candidates
        ) or (bool(self.cues & {Cue.OVERVIEW, Cue.COMPANY}) and token.folded in SUPPORTING["overview"])

    def _take_small_words(self) -> None:
        self._drop_described_times()
        dimensions = {
            dimension
            for mention in self.mentions
            for each in mention.candidates
            for dimension in self.ground.known.metrics[each].dimensions
        }
        is_talk = not self.mentions and any(noun.dimension in NAMED_BY for noun in self.nouns)
        for place in sorted(self.free):
            token = self.tokens[place]
            if is_talk and token.stem in _TALK:
                self._take([place], "small")
                continue
            if self._asks_for_increase(token):
                continue
            if token.stem in UNIT_WORDS:
                self.units.add(UNIT_WORDS[token.stem])
            elif not (
                not token.is_word
                or token.folded in FUNCTION_WORDS
                or (token.folded in GAINING and bool(self.mentions))
                or DIMENSION_STEMS.get((token.stem,)) in dimensions
                or self._supports(token)
            ):
                continue
            is_content = token.is_word and token.folded not in FUNCTION_WORDS and token.stem not in UNIT_WORDS
            self._take([place], "supporting" if is_content else "small")

    def _drop_described_times(self) -> None:
        """A time that a metric's own description names is no time of the question: renewals within 60 days."""
        for time in list(self.times):
            words = {self.tokens[place].folded for place in time.tokens}
            number = next((word for word in words if word.isdigit()), None)
            described = [self.ground.known.metrics[each].description for m in self.mentions for each in m.candidates]
            if number and "days" in words and described and all(f"{number} days" in each for each in described):
                self.times.remove(time)

    def _is_unjoined(self) -> bool:
        """Whether two figures stand in one phrase with nothing that joins them."""
        ordered = sorted(self.mentions, key=lambda mention: mention.tokens)
        for one, other in pairwise(ordered):
            between = self.tokens[one.tokens[-1] + 1 : other.tokens[0]]
            joining = _JOINING if self.cues & {Cue.COMPARE, Cue.VERSUS} else _SEPARATORS
            if not any(token.folded in joining for token in between):
                return True
        return False
