"""The plain words in which a briefing is written: outside slots and metrics' own nouns, a sentence may use no others.

A list of what is forbidden can never be complete: there is always one more word that claims something. So whoever
writes gets a list of what is allowed: words that join, point and count nothing, verbs and nouns of the trade, steps to
take. A claim about a mood, a reason or a person finds no words here. Directions, ranks and the like are in `lexicon`,
where each is held against a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from sophia_assets.insight import lexicon
from sophia_assets.insight.mentions import Reading, Span
from sophia_assets.insight.nouns import catalog_nouns


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_JOINING = _words(
    "a an the and or but while as at by for from in into of off on onto out over per since than that this these "
    "those to until up upon with within across along among around behind beside between during through toward "
    "towards via about against after before when where whose which who whom what how whether if then so also too "
    "again still yet now here there it its itself they them their theirs we us our ours he she his her one's each "
    "other another same such own"
)
_BEING = _words(
    "is are was were be been being am has have had having do does did done can cannot make makes made making get "
    "gets got keep keeps kept keeping hold holds held holding stand stands stood standing remain remains remained "
    "remaining stay stays stayed come comes came coming go goes went going run runs running sit sits sat lie lies "
    "leave leaves left leaving bring brings brought bringing take takes took taken taking put puts give gives gave "
    "given giving show shows showed shown showing see sees saw seen need needs needed base based spread"
)
_TRADE_VERBS = _words(
    "add adds added adding amount amounts amounted average averaged averages book booked books booking bill billed "
    "buy buys bought call called calls calling carry carries carried close closed closes closing compare compared "
    "compares comparing complete completed completes contribute contributed contributes convert converted count "
    "counted counts create created creates deliver delivered delivers earn earned earns end ended ends ending "
    "expand expanded expands finish finished follow followed follows following generate generated generates include "
    "included includes including land landed lands lose loses losing lost mention mentioned mentions mentioning "
    "move moved moves moving name named names naming open opened opens order ordered owe owed owes owing own owned "
    "owns pay paid pays paying push pushed pushes pushing raise raised raises reach reached reaches reaching record "
    "recorded rank ranked ranks renew renewed renews renewing report reported reports represent represented "
    "represents respond responded score scored scores scoring sell sells sold sign signed signs slip slipped slips "
    "slipping speak speaks spoke spoken spend spends spent start started starts stall stalled stalls talk talked "
    "talks total totaled totalled totals use used uses using wait waited waiting waits win winning wins won work "
    "worked works account accounted accounts accounting cover covered covers past face faces faced log logged logs "
    "contact contacted fill filled hear heard read release released ship shipped resolve resolved measure measured "
    "compute cost costs costing go cold stuck tie tied bind surface surfaced emerge emerged appear appears appeared "
    "feature featured arrive arrived enter entered set sets miss missed missing meet meets met"
)
_TRADE_NOUNS = _words(
    "account accounts action actions activity agreement amount answer answers area areas base billing board book "
    "booking bookings bug bugs business buyer buyers call calls case cases cash change changes channel channels "
    "chat churn close comparison competitor competitors company contact contacts contract contracts conversation "
    "conversations count currency customer customers cycle cycles date dates day days deal deals decision decisions "
    "delivery discussion discussions document documents due effort engineering evidence expansion factor figure "
    "figures finance forecast goal group health installation invoice invoices issue issues item items leader leads "
    "licence licences license licenses line list loss losses mention mentions meeting meetings message messages "
    "month months move movement name names need needs number numbers office onboarding opportunities opportunity "
    "order orders outstanding owner owners pace part partner parts payment payments people performance period "
    "periods person picture pipeline plan plans point points product products program project projects proposal "
    "proposals quarter quarters question questions range rate rates reading reference renewal renewals reply report "
    "request requests response responses result results revenue review reviews risk risks row sale sales "
    "satisfaction scale score scores seat seats section segment series service share shares side sign signal "
    "signals signs size stage stages state status subscription subscriptions step steps sum summary support target "
    "targets task tasks team teams tech term terms ticket tickets time times top topic topics total totals trial "
    "trials type unit use usage user users value values view voice volume watch way week weeks win wins work worth "
    "year years"
)
_STEPS = _words(
    "agree ask assign book bring call chase check clear close collect confirm contact decide discuss escalate "
    "explain find fix follow give hand help hold invite keep know learn let look make meet move name offer open "
    "organise organize plan prepare propose protect raise recover reply report resolve review run schedule see send "
    "set settle share show speak start stop support take talk tell thank track try understand update use visit win "
    "work write save secure win back retain keeping recovery joint sponsor executive next call success firm date "
    "terms path through answer reference agenda"
)
_DESCRIBING = _words(
    "active annual available average big biggest booked combined company-wide current different early following "
    "former fresh full further given key late later live main monthly named new newest next old older open "
    "operational other outstanding overall overdue own owned paid paying planned previous prior public quarterly "
    "recent recurring related relevant remaining same separate single specific stalled strategic such tied total "
    "unassigned unpaid unresolved upcoming usual waiting weekly weighted whole won worried worth alone together "
    "ahead already away back directly forward once respectively please well far long close closely clearly "
    "currently likely unlikely very roughly even almost certain chance no unassigned"
)

PLAIN_WORDS = _JOINING | _BEING | _TRADE_VERBS | _TRADE_NOUNS | _STEPS | _DESCRIBING
_PARTS = re.compile(r"[-'\u2019]")


@cache
def allowed_words() -> frozenset[str]:
    """Every word that may stand outside a slot, in small letters: the plain ones, those of the lexicon, which are held
    against facts, and those of the metrics' own nouns."""
    spoken = {part for phrase in catalog_nouns().meanings for part in re.findall(r"[^\W\d_]+", phrase)}
    judged = (
        lexicon.DIRECTIONS.keys()
        | lexicon.JUDGEMENTS.keys()
        | lexicon.UNCHANGED
        | lexicon.VAGUE
        | lexicon.NEGATIONS
        | lexicon.SPECULATION
        | lexicon.FIRST_RANK
        | lexicon.OTHER_RANK
    )
    abbreviations = {word.lower() for word in lexicon.CAPITALS_ALLOWED}
    return PLAIN_WORDS | spoken | judged | abbreviations | set(catalog_nouns().counted)


def other_words(reading: Reading) -> Iterator[Span]:
    """The words of a text that are none of these, so that nothing can be held against what they say."""
    allowed = allowed_words()
    for span in reading.words:
        word = span.text.lower().replace("\u2019", "'")
        if word in allowed or word.removesuffix("'s") in allowed or word.removesuffix("s") in allowed:
            continue
        if not all(part in allowed for part in _PARTS.split(word) if part):
            yield span
