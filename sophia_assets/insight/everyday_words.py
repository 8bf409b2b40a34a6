"""The words that a quote may be made of: everyday words of business that name nobody.

Belongs here: the list. None of its words names a person, a body, a faith, a party, an insult, a crime or an amount; a
sentence with any other word is not quoted. Does not belong here: how a sentence has to be built (`quotable`), or the
words of the briefings' own prose (`vocabulary`), which are held against facts.
"""

from __future__ import annotations

from functools import cache

from sophia_assets.insight.lexicon import word_set
from sophia_assets.insight.vocabulary import PLAIN_WORDS

_GENERAL = word_set(
    "able above after again ago all almost already alright also although always any anybody anymore anyone anything "
    "anyway anywhere are basically be because been before behind below best better both but cannot certain certainly "
    "clear clearly definitely despite each either else enough especially even ever every everybody everyone "
    "everything everywhere exactly except fairly few for generally good great happily hardly how however i if "
    "important in indeed instead is it its itself just largely last lately least less likely little lot lots many may "
    "maybe me mean means might mine more most mostly much must my myself neither never new next no nobody none nor "
    "normal normally not nothing now nowhere obviously often only or other others otherwise ought ourselves perhaps "
    "possible possibly pretty probably properly quick quickly quite rarely rather ready real really regularly right "
    "same several shall should simple simply since so some somebody someone something sometimes somewhere soon sooner "
    "still such sure surely than that their them themselves then there therefore these they thing things this those "
    "though today together tomorrow tonight too totally under unfortunately unless until usual usually very via was "
    "way well were what whatever when whenever where whether which while whole why will with within without would "
    "wrong yes yesterday yet am an down lower higher fewer worse and as at by do does did of on off our ours out over "
    "the to up us we who whose words"
)
_VERBS = word_set(
    "accept accepted accepts access achieve agree agreed agreeing agrees aligned allow allowed allows appreciate "
    "appreciated argue argued asked asking asks assigns avoid became become becomes been begin begins behave behaves "
    "believe breaks broken build building builds built cancel cancelled cancelling cares caused causes change changed "
    "changing choose chose chosen cleaned complain complained complaining configure connect connected connects "
    "consider considering consolidate continue continues copied copy could couldn't crash crashed crashes crashing "
    "cut cutting depend depends deploy deployed develop disappoint disappointed documented drop dropped evaluate "
    "evaluated evaluating expected expecting expects explained export exported exporting fail failed failing fails "
    "feel feels felt figured filter fixes fixed fixing forgotten freeze freezes frustrates guess happen happened "
    "happening happens happier helped helping helps hoped hoping hurts implement import imported importing improve "
    "improved improves increase increased integrate integrated integrates introduce introduced involve join joined "
    "keeping knew knowing known knows lacks learned learning let lets like liked likes load loading loads lock locked "
    "locks looked looking looks love loved loves lower manage managed managing matches matter matters migrate "
    "migrated migrating need needing notice noticed offers onboard optimise optimize performed performs planned "
    "postpone postponed pouring prefer preferred presented prevents promise promised promises prove proves provide "
    "provided provides publish questioned realise realised reconsider reduce reduced refresh refreshed reindex relies "
    "rely renew replace replaced replacing responded respond restore restored rolled rolling roll saved saves saving "
    "search searched searching sees seem seemed seems set shipped solve solved solves solving sounds spent stopped "
    "stops struggle struggled struggles struggling suggest suggested suits support supported supports switch switched "
    "switches switching sync syncs tested testing think thinking thinks thought times told train trained tried tries "
    "trust trusted try trying turn turned turns understands understood update updated updates upgrade upgraded using "
    "wait waits walk walking wanted wanting wants wish wonder wondering worked working works worries worry worrying "
    "writing written want expect touch pass reset stored confirmed drive"
)
_THINGS = word_set(
    "adapter address adoption advantage agreement alert alerts alternative alternatives analysis app application apps "
    "approach approval approvals architecture article articles attempt audit audits automation baseline benefit "
    "benefits bottleneck bottlenecks box boxes budget budgets builds button buttons calendar capacity care "
    "certificate chart charts client clients clock code coffee colleague colleagues commitment commitments committee "
    "comparison competition complaint complaints compliance component components concern concerns configuration "
    "connection connections connector connectors control controls counsel course crew dashboard dashboards data "
    "database deadline deadlines delay delays delegation demo demos department departments deployment design desk "
    "detail details development difference direction discount discounts documentation downtime early effort emails "
    "engine environment environments erp error errors estimate example experience expectation expectations exports "
    "feature features feedback field fields file files filters flags flow form format forms functionality goal group "
    "guidance guide handover handovers help helpdesk history holidays home hour hours idea ideas identity improvement "
    "improvements inbox incident incidents information infrastructure integration integrations interface introduction "
    "invoice invoicing it job jobs kitchen lack layout legacy letter library limit limits link loop loops machine "
    "machines maintenance management manager managers market material metrics migration migrations milestone minute "
    "minutes mistake mistakes model moment momentum mood morning network notice notification notifications operations "
    "option options organisation organization outage outages overview page pages patience permission permissions "
    "phase pilot pilots place places planning plans platform portal position potential practice preparation "
    "presentation pressure price prices pricing printer priorities priority problem problems procedure process "
    "processes processing procurement production progress promise provider providers purpose quality queries query "
    "queue queues readiness reason reasons reception refusal region regional regression relationship release releases "
    "reliability relief requirement requirements resource resources responsibility result rhythm roadmap rollout room "
    "rooms rule rules sample schedule scope screen screens screenshot screenshots search section server servers setup "
    "shift shifts shipping site sites situation slot software solution solutions speed spreadsheet spreadsheets "
    "sprint staff stakeholders standard standards start steering storage strategy structure success summer supplier "
    "suppliers surprise survey system template templates tests thinking threads tool tools track trail training "
    "transition trouble troubles trust turnaround understanding upgrade upgrades uptime users vendor vendors version "
    "versions visibility warehouse winter wording workflow workflows workload workshop workshops world session "
    "intranet offices"
)
_QUALITIES = word_set(
    "acceptable accurate additional agreed ambitious annoying automatic available awkward bad basic big busy careful "
    "cheap cheaper close closer comfortable common competitive complete complex complicated concerned confident "
    "confused confusing consistent content convinced correct critical crucial current delighted different difficult "
    "disappointing easier easily easy effective efficient empty essential excellent excited existing expensive "
    "expired external extra extremely fair familiar fantastic fast faster final fine flexible frequent friendly "
    "frustrated frustrating glad gone greatly happy hard harder helpful honest honestly huge impressed impressive "
    "impossible incomplete inconsistent inside interested interesting internal large larger late later local long "
    "longer main major manual manually minor missing nice nicer outdated patient perfect perfectly pleasant pleased "
    "poor powerful practical productive professional proud quiet realistic reasonable relevant reliable responsive "
    "robust safe satisfied seamless sensible serious short shorter slow slower slowly small smaller smooth smoothly "
    "solid sorry special stable standard straightforward strong sudden suddenly suitable superb tight transparent "
    "tricky unacceptable unclear uncertain unhappy unreliable unstable unusable usable useful valuable visible "
    "visibly warm weak willing wonderful worried"
)
#: What follows an apostrophe, and what stands before `n't`.
_ENDINGS = frozenset({"s", "t", "re", "ve", "ll", "d", "m"})
_DENIED = word_set(
    "don doesn didn isn aren wasn weren won can couldn wouldn shouldn hasn haven hadn mustn needn dont wont"
)
#: Words of the briefings' prose that say whom something is about, or how much there was.
_NOT_QUOTED = word_set(
    "he she him her his hers himself herself person score scores couple bill executive chance chase mark majority"
)


@cache
def everyday_words() -> frozenset[str]:
    """Every word, or part of a word between hyphens and apostrophes, that a quote may hold; in small letters."""
    own = _GENERAL | _VERBS | _THINGS | _QUALITIES
    return (own | PLAIN_WORDS | _ENDINGS | _DENIED) - _NOT_QUOTED
