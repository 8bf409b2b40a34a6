"""Words that tell what kind of answer a question wants.

Belongs here: patterns on the words of a question, each with the cue that it gives. Does not belong here: what follows
from several cues together (`intents`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from sophia_assets.assistant.understanding.words import Line


class Cue(Enum):
    """What a question's words ask for, or how its parts belong together."""

    WHY = auto()
    COMPARE = auto()
    VERSUS = auto()
    TREND = auto()
    CHANGE = auto()
    BREAKDOWN = auto()
    DEFINITION = auto()
    MAYBE_DEFINITION = auto()
    FRESHNESS = auto()
    HELP = auto()
    OVERVIEW = auto()
    COMPANY = auto()
    QUOTES = auto()
    EXCLUDE = auto()
    HOW_MANY = auto()
    HOW_MUCH = auto()
    HOW_LONG = auto()
    LISTED = auto()
    FOLLOW = auto()
    REFERS = auto()
    WHAT_IS = auto()
    MENTIONED = auto()


@dataclass(frozen=True)
class CueFound:
    """A cue, and the tokens that give it."""

    cue: Cue
    tokens: tuple[int, ...]


_SAYING = (
    r"(?:say|said|saying|says|tell|told|telling|think|thought|thinking|feel|felt|feeling|complain|complained"
    r"|complaining"
    r"|talk|talked|talking|mention|mentioned|mentioning|comment|commented|write|wrote|writing|ask|asked|asking|raise"
    r"|raised|hear|heard|like|dislike|love|hate|want|wish)"
)
_MENTIONING = (
    r"(?:said|says?|mention(?:ed|s)?|talk(?:ed|s)? (?:about|of)|complain(?:ed|s)?|ask(?:ed|s)? (?:about|for)"
    r"|spoke (?:about|of)|raised"
    r"|comment(?:ed|s)?(?: on)?|brought up|wrote about)"
)
_IN_TALKS = (
    r"(?: (?:in|on|during) (?:their|the|our|his|her|its) (?:last |latest |recent |most recent )*"
    r"(?:calls?|meetings?|chats?|conversations?|threads?))?"
)
_CHANGED = (
    r"(?:rise|rises|rose|risen|rising|fall|falls|fell|fallen|falling|grow|grows|grew|grown|growing|growth|drop|drops"
    r"|dropped|dropping|decline|declined|declining|increase|increases|increased|increasing|decrease|decreased"
    r"|decreasing|change|changes|changed|changing|improve|improved|improving|worsen|worsened|worsening|jump|jumped"
    r"|climb|climbed|climbing|shrink|shrank|shrunk|shrinking|slow|slowed|slowing|slowdown|dip|dipped|spike|spiked"
    r"|surge|surged|"
    r"plunge|plunged|sink|sank|move|moved|rebound|recovered|deteriorate|deteriorated|slump|slumped"
    r"|(?:get|gets|getting|got|gotten|become|becomes|becoming|became|turned) (?:any )?(?:faster|slower|better"
    r"|worse|bigger|smaller|larger|higher|lower|longer|shorter|stronger|weaker|healthier|happier)"
    r"|(?:go|going|went|gone|trending|trend|is|are|was|were) (?:up|down)(?: or (?:up|down))?|(?:less|more"
    r"|fewer)(?! than|$)|(?:up|down)$|so (?:low|high|bad|good|many|few|much|weak|strong)"
    r"|(?:higher|lower|better|worse)(?! than)|up or down)"
)
_DATA = r"(?:data|numbers|figures|information|metrics|reports?|dashboards?|briefings?|warehouse)"
_SYSTEM = (
    r"(?:hubspot|gong|slack|linear|pinecone|redis|snowflake|data|numbers|systems?|sources?|data pipelines?"
    r"|integrations?|connectors?|everything|anything|something|tables?)"
)

_PATTERNS: tuple[tuple[Cue, str], ...] = (
    (Cue.HELP, r"^(?:help(?: me)?(?: please)?|what can (?:i|you|we|one|sophia|this)(?: \w+){0,2}? (?:ask|do"
               r"|answer|tell|know)(?: (?:you|me|here|for me|about|sophia|this))*|what (?:sort|kind|kinds|sorts"
               r"|type|types) of (?:things|questions|figures|data|metrics)(?: \w+){0,6}"
     r"|(?:what|which) (?:questions|metrics|kpis|figures|things|data)(?: \w+){0,3} (?:ask|answer|available|exist"
     r"|know|have|there)(?: about)?"
     r"|(?:which|what) metrics(?: are there| do you have| exist| are available)?(?: (?:about|on|for|of|around)"
     r" (?:\w+ ?){1,3})?|list (?:all |the |your |every |me )*(?:metrics?|kpis?)"
     r"(?: (?:that )?(?:you|there|we|sophia) \w+)?|(?:show"
     r"|give) me (?:all |the |some |an )*(?:metrics|examples?|example questions?)"
     r"|how (?:do|does|can) (?:i|you|this|it|sophia)(?: \w+){0,2}? (?:work|ask|use)(?: (?:you|this|it))?|who are "
     r"you|what are you|what do you (?:do|know)|examples?|hello|hi|hey)(?: there| sophia)?$"),
    (Cue.FRESHNESS, r"\b(?:how (?:current|fresh|actual|recent|old|stale|up to date|timely|live|complete|reliable) (?:is"
                    r"|are) (?:the |our |your |my |all |this |these )*(?:" + _DATA + r"|" + _SYSTEM + r")(?: data)?"
     r"|(?:is|are) (?:the |our |your |all |this |these )*(?:" + _DATA + r"|" + _SYSTEM + r") (?:data )?(?:the "
         r")?(?:fresh|current|actual|up to date|stale|late|broken|down|failing|ok|okay|working|healthy|complete|live"
         r"|old|behind|connected|running|reliable|there)(?: (?:today|now|right now|yet))?"
     r"|(?:is|are|was|were|has) (?:there )?(?:anything|something|any \w+|any|everything|all systems|the systems"
     r"|the sources)(?: \w+){0,2}? (?:broken|wrong|down|failing|failed|stale|late|missing|ok|okay|working|issues?"
     r"|problems?|errors?|outages?|incidents?|up)(?: (?:with|in) (?:the |our )*" + _SYSTEM + r")?"
     r"|what(?: is|s)? (?:currently )?(?:broken|failing|down|stale|not working)|(?:any|are there) (?:data "
     r")?(?:problems|outages|incidents|failures|errors|issues)(?: (?:with|in) (?:the |our )*" + _SYSTEM + r")"
     r"|(?:when|what time) (?:was|were|did|is|has|have) (?:the |our |your )*(?:\w+ ){1,3}?(?:last |most recently "
     r")?(?:read|synced|sync|updated|update|refreshed|refresh|loaded|load|ingested|run|fetched|pulled"
     r"|imported)(?: last)?"
     r"|(?:when|what time)(?: \w+){1,4} (?:last )?(?:read|synced|sync|updated|update|refreshed|refresh|loaded"
     r"|load|ingested|fetched|pulled|imported)(?: last)?$|(?:the )?(?:last|latest|most recent|newest) (?:update"
     r"|sync|refresh|load|read|import|run|data)(?: (?:of|from|for)(?: the)?(?: \w+)?(?: data)?| time)?|(?:did|was"
     r"|were|has|have|is|are) (?:the |our |all )*(?:" + _SYSTEM + r")(?: data)?(?: \w+)? (?:load|loaded|read|sync"
         r"|synced|refresh|refreshed|update|updated|arrive|arrived|ingested|fail|failed|delayed|connected|missing"
         r"|in)(?: (?:today|yesterday|last night|this morning))?|(?:problems?|issues?|trouble|outages?|errors?) "
         r"(?:with|in|at) (?:the |our )*" + _SYSTEM + r"(?: data)?|data (?:gaps?|outages?|problems?|issues?"
             r"|latency|delays?|lag)|(?:can|may|should|do) (?:i|we) trust (?:the |our |these |this )*" + _DATA + r"?"
             r"|data as of(?: when"
                 r"| what (?:day|date|time))?|when (?:did|have|do) (?:you|we)(?: last| most recently)? (?:get|got"
                 r"|receive|received|fetch|read|load|see|pull|have)(?: any| new| the)* data(?: last)?(?: from| "
                 r"of)?|data freshness|freshness|freshness of (?:the )?data|system status"
                 r"|data status|status of (?:the )?(?:data|systems|sources|pipelines)"
     r"|(?:which|what) (?:systems?|sources?|tables?|connectors?|integrations?) (?:is|are) (?:down|late|broken"
     r"|stale|failing|missing|behind|out of date|not working|up to date|fresh|connected)"
     r"|(?:up to )?(?:when|what (?:day|date|time)) (?:does|do|is|are) (?:the |our )*" + _DATA + r" (?:go|reach|end"
         r"|stop|cover|complete|current|from)(?: (?:to|up to|until))?|how far does the data go(?: back)?"
     r"|since when (?:is|are) (?:the |our )*" + _DATA + r"(?: (?:actual|current|valid|fresh|available))?"
     r"|how (?:up to date|current|fresh) (?:is|are) (?:\w+ )?" + _SYSTEM + r"(?: data)?)\b"),
    (Cue.COMPANY, r"\b(?:how (?:are|is|s) (?:we|things|everything|the company|the business|our company|our "
                  r"business|business|it)(?: \w+)? (?:doing|going|looking|performing|tracking)"
     r"|how are we|how are things|how is business|how do things (?:look|stand)|how did we do|how have we (?:done"
     r"|been doing)|how well (?:are|did) we(?: \w+)?(?: doing| do| performing)?|where do we stand|how do we stand"
     r"|what (?:needs|requires|deserves|wants) (?:my|our|the) attention(?: (?:first|most"
     r"|right now))?|what should (?:i|we) (?:know|look at"
     r"|worry about|focus on|pay attention to|be (?:worried|concerned) about|care about|do first)(?: about)?"
     r"|what (?:do|must) (?:i|we) need to know|what must i know|(?:is there )?(?:anything|something) (?:i|we) "
     r"(?:should|need to|must) (?:know|worry|be (?:worried|concerned)|look at)(?: about)?"
     r"|(?:any|what|the|which|some) (?:risks?|problems?|concerns?|worries|issues|surprises|alarms|news|red "
     r"flags)(?: (?:are there|do we have|should (?:i|we) (?:know|worry|be aware)(?: about| of)?|i should (?:know"
     r"|worry)(?: about| of)?|we have|today|now))?|(?:anything|something) (?:unusual|new|special|to worry about"
     r"|worth knowing|i missed)|what (?:is|s) (?:new|going on|happening|up|going well|going wrong|not going well"
     r"|the situation|the state of (?:the business|the company|things|affairs)|important|most important|urgent)"
     r"|what (?:has )?(?:changed|happened)|(?:give me |show me |write me |i want |can i have )?(?:a |an |the |my "
     r"|today s |todays )?(?:brief |quick |short |daily |executive |weekly )*(?:overview|summary|briefing|rundown"
     r"|highlights|update|snapshot|recap|status report|big picture|status update)(?: of (?:the )?(?:business"
     r"|company|everything|things|day|quarter|week|month))?"
     r"|(?:brief|update) me(?: (?:on|about) (?:the )?(?:business|company|everything))?|sum (?:it|things) up"
     r"|(?:are|is) (?:we|everything|the company|the business) (?:on track|ok|okay|doing well|doing ok|healthy|in "
     r"good shape)"
     r"|(?:biggest|main|top|greatest|key) (?:risks?|problems?|issues|concerns|opportunities|wins|worries)(?: "
     r"right now)?|(?:our|company|overall|business) performance|(?:state|health) of the (?:business|company)"
     r"|what (?:is|are) (?:the|our) (?:biggest |main |key )?(?:risks?|problems?|concerns))\b"),
    (Cue.OVERVIEW, r"\b(?:summari[sz]e|recap|everything (?:about|on)|all about|tell me (?:everything |all |more "
                   r"|something )?about|what (?:do we know|can you tell me"
                   r"|is there to know|do you know|is going on|is happening|is new|happened|is up) (?:about|with"
                   r"|at|in)|(?:give me |show me )?(?:an? |the )?(?:overview|summary|status|profile|snapshot"
                   r"|briefing|update|rundown|state) (?:of|on|about|for)"
     r"|how (?:healthy )?(?:is|are|s|was|were|did|does|do|has|have)(?= .*\b(?:doing|going|performing|perform"
     r"|looking|look|been doing|do|done|faring|tracking)(?: |$))"
     r"|(?:brief|update) me (?:on|about)|what about the state of|everything about|information (?:on|about))"),
    (Cue.WHY, r"\b(?:why|how come|what (?:is |was |were |are )?(?:the )?(?:reasons?|causes?|explanation|drivers?"
              r"|factors)(?: (?:for|of|behind|why))?|what(?: has| is| are)? (?:drove|drive|drives|driving|driven"
              r"|caused|causes|causing|explains|explain|led to|made|behind)|what (?:is|was|lies) behind"
     r"|reasons? (?:for|why|behind)|due to what|explain (?:why|the (?:rise|fall|drop|increase|decrease|decline"
     r"|growth|change|jump|dip))(?: (?:in|of))?|root causes?(?: (?:of|for))?|drivers? (?:of|behind|for)|who or "
     r"what (?:drove|caused))\b"),
    (Cue.DEFINITION, r"\b(?:what exactly (?:is|are)|who (?:owns|defines|defined)(?= .*\b(?:metric|definition"
                     r"|figure|kpi|number)\b)|who is responsible for the (?:metric|definition)(?: of)?|when (?:is"
                     r"|does|do|are) (?:a|an)|how (?:is|are) (?:it|that|this) (?:computed|calculated|defined"
                     r"|measured)|what (?:does|do|is meant by|do you mean by|exactly is|counts as|count as|makes"
                     r"|qualifies as)(?= .*\b(?:mean|means|stand for|stands for|measure|include|tell us|meant|by"
                     r"|as|count)\b)|(?:what is|whats|what s) (?:the )?(?:definition|meaning|formula"
                     r"|calculation) (?:of|for|behind)"
     r"|what (?:signifies|signify|does \w+ signify)"
                     r"|what is meant by|what do you mean by|what counts as|define|definition of|meaning of"
                     r"|formula (?:for|of)"
     r"|explain (?:to me )?(?:what|how)(?= .*\b(?:is|are|means?|computed|calculated|works)\b)|how (?:is|are|do"
     r"|does|did)(?: (?:you|we|one|sophia|it))?(?= .*\b(?:computed?|calculated?|defined?|measured?|determined?"
     r"|derived?|worked out|counted|compute|calculate|define|measure|work out)\b))"),
    (Cue.MAYBE_DEFINITION, r"\bexplain\b"),
    (Cue.TREND, r"\b(?:trends?|trending|trendline|over time|time series|history of|historical(?:ly)?|(?:develop"
                r"|developed|developing|development|develops|evolve|evolved|evolving|evolution)(?: of)?|course of"
                r"|trajectory|progress(?:ed|ion|ing)?|chart(?: of)?|graph(?: of)?|plot(?: of)?|curve|timeline)\b"),
    (Cue.COMPARE, r"\b(?:compare|compares|compared|comparing|comparison|side by side|stack up|stacks up|measure "
                  r"up)(?: (?:with|to|against|of|between|on|how))?\b|\bdifferences? (?:between|in|from|to)\b"
                  r"|\brelative to\b|\bin comparison (?:with|to)\b"),
    (Cue.VERSUS, r"\b(?:vs|versus|against|as opposed to|rather than|(?:more|less|fewer|higher|lower|better|worse"
                 r"|bigger|smaller|larger|greater|faster|slower|longer|shorter)(?= (?:\w+ )?than )|(?:up|down|changed?"
                 r"|different|differ) (?:from|on)(?= )|than)\b"),
    (Cue.CHANGE, r"\b(?:by how much (?:did|has|have|is|are)?|" + _CHANGED + r")\b"),
    (Cue.BREAKDOWN, r"\b(?:(?:break|breaks|breaking|broken|split|splits|splitting|sliced?"
                    r"|grouped|group) ?(?:it |them |that |this "
                    r")?(?:down|up)?(?= (?:by|per|into|across))|breakdown|split|distribution|composition|broken "
                    r"down|distributed|spread)\b"),
    (Cue.BREAKDOWN, r"\b(?:break|breaking|split|splitting|slice|group)\b(?= .*\b(?:by|per|into|across)\b)"),
    (Cue.EXCLUDE, r"\b(?:except(?: for)?|excluding|excl|without|other than|apart from|not counting|leaving out"
                  r"|but not|ignoring|minus|not (?:in|from|for|at|by|of|with))\b"),
    (Cue.HOW_MANY, r"\b(?:how many(?: of)?|(?:the |total )?number of|(?:the )?count of|how often|how many times)\b"),
    (Cue.HOW_MUCH, r"\bhow much(?: money| of)?\b"),
    (Cue.HOW_LONG, r"\b(?:how long|how old|how quick(?:ly)?|how fast|how slow|how high|how low|how big|how large"
                   r"|how good|how bad|how strong)\b"),
    (Cue.LISTED, r"\b(?:list|which|show me (?:the|all|our)|names? of|name the|who)\b"),
    (Cue.LISTED, r"\bif (?:you can|you could|you please|possible|i may|you like|any)\b"),
    (Cue.FOLLOW, r"^(?:and|what about|how about|same (?:for|with|but)|now|also|then|ok|okay|or|only|just|but|and "
                 r"what about|and how about|the same (?:for|with|in|but)|as well as|plus|instead|what if (?:we"
                 r"|i) (?:take|look at|use)|make (?:it|that)|do (?:it|that|the same) (?:for|by|with))\b(?: (?:for"
                 r"|the same|with|in|about|only|just))*"),
    (Cue.REFERS, r"\b(?:his|her|hers|their|theirs|its|he|she|him)\b|\b(?:it|that|this|these|those|them|they|the "
                 r"same)\b(?! (?:is )?(?:day|week|month|quarter|year|company|business|deal|account|customer|team"
                 r"|owner)s?\b)"),
    (Cue.WHAT_IS, r"^(?:what (?:is|are|was|were)|whats)(?: (?:an?|the|our|my|a))?"),
    (Cue.MENTIONED, r"\b(?:(?:was|were|is|are|been|being|get|got|gets)? ?(?:mentioned|mention|mentions|named"
                    r"|came up|come up|comes up|coming up|bring up|brings up"
                    r"|discussed?|discuss(?:es|ing)|brought up|talk(?:ed|s|ing)? about))\b"),
)  # fmt: skip
_COMPILED = tuple((cue, re.compile(pattern)) for cue, pattern in _PATTERNS)
_QUOTES = tuple(
    re.compile(pattern)
    for pattern in (
        # What do customers say about ...
        r"\b(?:what|anything|something|how|who)\b(?: (?:do|did|does|have|has|are|is|were|was|else|bad|good"
        r"|negative|positive))* (?P<subject>(?:our |the |all |any |some |most )*"
        r"(?:customers?|clients?|accounts?|users?|buyers?|prospects?|people|they|companies|[^ ]+(?: "
        r"[^ ]+){0,4}?)) (?:been )?"
        rf"{_SAYING}(?: (?:us|to us|most|lately))?(?P<about> (?:about|on|regarding|of|concerning|with|for)"
        rf"(?: (?P<words>.+?))?)?{_IN_TALKS}$",
        rf"\b(?:who|(?:has|have|did) (?:any(?:one|body)|some(?:one|body)|a customer|(?:any |our )?customers?)) "
        rf"(?:has |have |ever )?{_MENTIONING} (?P<about>(?:about |on |of |for )?(?P<words>.+))$",
        rf"\b(?:which|what|any) (?:customers?|accounts?|clients?|people) (?:have )?{_MENTIONING} "
        rf"(?P<about>(?:about |on |of |for )?(?P<words>.+))$",
        r"\b(?:quotes?|quotations?|feedback|complaints?|opinions?|comments|statements|verbatims?|voices?|remarks"
        r"|what was said|praise|reactions)(?: (?:of|from|by) (?:our |the )*(?:customers?|clients?|accounts?"
        r"|users?))?"
        r" (?P<about>(?:about|on|regarding|of|concerning|with|for|to) (?P<words>.+))$",
        r"\bwhat (?:is|was|has been) (?:being )?(?:said|heard|mentioned|written)(?: by (?:our |the )*(?:customers"
        r"|clients|accounts))? (?P<about>(?:about|on|regarding|of|concerning) (?P<words>.+))$",
        r"\bwhat (?:have|did|do) we (?:hear|heard|been hearing)(?: from (?:our |the )*(?:customers?|clients?"
        r"|accounts?|(?P<subject>.+?)))?(?P<about> (?:about|on|regarding|of) (?P<words>.+))?$",
        r"\b(?:customer |client )?(?:quotes?|quotations?|verbatims?)(?: (?:of|from|by) (?P<subject>.+))?$",
    )
)  # fmt: skip
_SAID_BY_US = re.compile(r"\b(?:you|i|we|me|sophia|it|this|that)\b")


@dataclass(frozen=True)
class QuoteQuestion:
    """A question for what was said: `cue` tokens, `about` those of what it is about, `subject` of who said it."""

    cue: tuple[int, ...]
    about: tuple[int, ...]
    subject: tuple[int, ...]


def cues_in(line: Line) -> list[CueFound]:
    """The cues of a question, in the order of the patterns."""
    return [
        CueFound(cue, line.covered(*match.span()))
        for cue, pattern in _COMPILED
        for match in pattern.finditer(line.text)
    ]


def quotes_in(line: Line) -> Iterator[QuoteQuestion]:
    """What a question for quotes may be about, the likeliest first; nothing where it is none."""
    for pattern in _QUOTES:
        match = pattern.search(line.text)
        if match is None:
            continue
        groups = match.groupdict()
        subject = groups.get("subject") or ""
        if subject and _SAID_BY_US.search(subject) and "they" not in subject:
            continue
        about = line.covered(*match.span("words")) if groups.get("words") else ()
        who = line.covered(*match.span("subject")) if subject else ()
        taken = set(line.covered(*match.span())) - set(about) - set(who)
        yield QuoteQuestion(tuple(sorted(taken)), about, who)


def has(found: Collection[CueFound], *cues: Cue) -> bool:
    """Whether one of the cues was found."""
    return any(each.cue in cues for each in found)
