"""What words of a question mean that the catalog and the data do not say: grammar, dimensions, directions, topics.

Belongs here: small tables of words. Does not belong here: deciding anything; names of metrics (the catalog has them).
"""

from __future__ import annotations

from dataclasses import dataclass

from sophia_assets.assistant.understanding.words import stem, stems_of
from sophia_assets.insight.lexicon import word_set


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, text.split()))


FUNCTION_WORDS = _words(
    "a an the this that these those there here it its is are was were be been being am do does did done have has had "
    "having i me my mine we us our ours you your yours they them their he she his her who whose whom what which where "
    "when how in on at of for from to into with within by per about as and or also too just please kindly can could "
    "may might would ok okay so then now still yet already ever any some all each every both us company companys "
    "business overall total altogether entire whole currently really actually exactly roughly approximately about "
    "around thanks thank hi hello hey dear sophia well very much many long far often show give get tell see list "
    "display find know want need like look let us report present provide pull fetch say figure figures number numbers "
    "value values amount amounts count data result results answer info information details currently made make "
    "instead performing affect affecting "
    "affected everyone everybody take takes taking took taken give gives gave given get got happen happened come "
    "came stand stands standing during over throughout between among across out up "
    "than one ones have been let go goes went being same quick quickly briefly short again only regarding "
    "concerning terms respect look looks looking like gone become became enter entered "
    "enters lately recently u ur pls plz thx gimme wanna"
)
"""Words without a meaning of their own here; everything else has to be accounted for."""

GAINING = _words(
    "add added adding gain gained gaining generate generated generating achieve achieved get got getting make made "
    "came come receive received acquire acquired"
)
"""Verbs that add nothing to what is counted over a time; of what stands at a day they would ask for its increase."""
PAST = _words("did got made came gained added acquired received")

EVERYDAY = _words(
    "global first general united national american international north south east west new old big best next north "
    "blue red green white black silver golden pacific atlantic central city state capital energy power health care "
    "medical retail media food foods freight shipping logistics software networks network systems digital data cloud "
    "services service solutions holdings group partners industries bank finance financial insurance trading tooling "
    "polymers builders construction markets market properties estates education academies infrastructure machinery "
    "robotics dairy telecommunications hospital production management supply chain real estate computer payments "
    "publishing press studios wireless broadband motion clinics pharma therapeutics diagnostics may mark will grant "
    "bill rich art frank dean page price case bell hope joy grace rose summit apex prime delta alpha core smart total "
    "modern advanced premier quality fresh open close deal team plan business enterprise customer product platform "
    "will may sue pat drew chase miles rob bob jack carol april may june august summer dawn faith"
)
"""Words that are in names, but mean one only where they are written like a name."""

COMPANY_ENDINGS = _words(
    "inc incorporated ltd limited llc llp lp gmbh ag kg ab as sa sas srl spa bv nv oy plc corp corporation co company "
    "holdings holding group pty kk"
)

UNIT_NAMES = _words(
    "day days week weeks month months quarter quarters year years today yesterday tomorrow weekly monthly "
    "quarterly yearly "
    "daily annually fiscal"
)
PRONE_WORDS = _words(
    "compare compared comparison versus trend trends breakdown overview summary changed change changes increase "
    "decrease "
    "dropped growth average number percentage current previous define definition calculated computed customers "
    "how have who what attention performance doing hello about which where there their does have many much last "
    "this between since "
    "before after until explain reason drove"
)
"""Words of questions that are often mistyped; `hwo` and `ahve` are errors for some."""

OTHER_WORDS = _words(
    "employee employees people person website visitor visitors profit margin spend spending cost costs budget "
    "lead leads "
    "headcount salary tax runway burn deploy deployments coverage server servers uptime refund refunds discount "
    "discounts marketing advertising campaign campaigns square metre meter meters line lines code partner partners "
    "weather capital president world cup joke poem bread euro euros dollar dollars police gym fire age city cities "
    "street gender religion supplier suppliers vendor vendors dog cat house car school music movie game sport sports "
    "price prices stock stocks share shares church march chair sailes sails meals meal males males hills wins wine "
    "plane planes planet planets cells cell walls balls tells teens terms term teem"
)
"""Everyday words that are no typing errors, though they look like words of the catalog."""

DIMENSION_NOUNS: dict[str, tuple[str, ...]] = {
    "account": ("account", "customer", "client", "company", "logo"),
    "owner": (
        "owner",
        "rep",
        "sales rep",
        "seller",
        "salesperson",
        "salespeople",
        "sales person",
        "account manager",
        "account executive",
        "account owner",
        "deal owner",
        "csm",
        "customer success manager",
        "success manager",
        "representative",
        "ae",
        "salesman",
        "saleswoman",
        "colleague",
        "person",
        "people",
    ),
    "industry": ("industry", "sector", "vertical", "branch of industry"),
    "stage": ("stage", "deal stage", "pipeline stage", "sales stage", "phase"),
    "deal": ("deal", "opportunity", "opp"),
    "plan": ("plan", "subscription plan", "pricing plan", "tier", "package"),
    "team": ("team", "squad"),
    "kind": ("kind", "type", "category", "sort"),
    "activity": ("activity type", "type of activity", "kind of activity", "activity kind", "activity"),
    "channel_kind": ("channel", "kind of conversation", "type of conversation"),
    "topic": ("topic", "theme", "subject"),
    "feature": ("feature", "module"),
    "issue_state": ("state", "issue state", "workflow state", "status"),
    "document_kind": ("document type", "type of document", "kind of document", "document kind"),
    "system": ("system", "source", "source system", "data source", "connector"),
    "data_table": ("table", "raw table"),
    "competitor": ("competitor", "rival"),
    "tracker": ("tracker",),
    "country": ("country", "region", "market", "geography", "nation"),
}
"""What the dimensions are called; `country` is none of any metric, and is known in order to say so."""

DIMENSION_LABELS: dict[str, str] = {
    "issue_state": "state", "document_kind": "document type", "data_table": "table", "channel_kind": "channel",
    "activity": "activity type",
}  # fmt: skip


def dimension_label(dimension: str) -> str:
    """What a dimension is called towards readers."""
    return DIMENSION_LABELS.get(dimension, dimension)


@dataclass(frozen=True)
class Topic:
    """A part of the business as people speak of it: `headline` stands for it, `metrics` give an overview of it."""

    words: tuple[str, ...]
    headline: str
    metrics: tuple[str, ...]
    is_metric_word: bool = False


TOPICS: tuple[Topic, ...] = (
    Topic(
        ("sales performance", "sales results", "commercial performance", "sales team", "sales figures", "selling"),
        "bookings",
        ("bookings", "deals_won", "win_rate", "pipeline_value", "sales_cycle_days"),
    ),
    Topic(
        ("revenue", "revenues", "income", "turnover", "recurring business", "top line", "revenue performance"),
        "mrr",
        ("mrr", "net_new_mrr", "churned_mrr", "expansion_mrr", "renewals_due"),
    ),
    Topic(
        ("finance", "finances", "financials", "financial performance", "financial results"),
        "mrr",
        ("mrr", "invoiced_amount", "payments_received", "overdue_amount", "net_new_mrr"),
    ),
    Topic(
        ("customer success", "customer base", "customer experience", "customer relationships"),
        "customer_health",
        ("customer_health", "customers_at_risk", "satisfaction_score", "worried_conversations", "open_bugs"),
    ),
    Topic(
        ("product", "adoption", "product adoption", "product performance", "product engagement", "engagement"),
        "product_actions",
        ("product_actions", "daily_users", "active_accounts", "seats_in_use", "dormant_accounts"),
    ),
    Topic(
        (
            "engineering", "engineering performance", "development", "delivery", "the engineers", "our engineers",
            "engineering team", "engineering output", "engineering productivity", "developer productivity", "velocity",
        ),
        "issues_completed",
        ("issues_completed", "cycle_time_days", "open_bugs", "bugs_reported", "cycle_completion"),
    ),
    Topic(
        ("quality", "product quality", "software quality"),
        "open_bugs",
        ("open_bugs", "bugs_reported", "bugs_fixed", "bug_fix_days", "urgent_bugs"),
    ),
    Topic(
        ("customer voice", "voice of the customer", "customer sentiment", "sentiment", "customer feedback"),
        "worried_share",
        ("worried_share", "worried_conversations", "churn_signals", "praise", "product_wishes"),
    ),
    Topic(
        ("retention", "customer retention"),
        "churned_mrr",
        ("churned_mrr", "revenue_churn_rate", "customers_lost", "churn_risk_mentions", "renewals_due"),
    ),
    Topic(
        ("knowledge base", "documentation", "knowledge"),
        "documents_written",
        ("documents_written", "fresh_documents", "old_documents"),
    ),
    Topic(
        ("data quality", "data health"),
        "rows_set_aside",
        ("tables_loaded", "rows_set_aside", "tables_lacking_columns", "oldest_events", "unmatched_names"),
    ),
)  # fmt: skip
COMPANY_METRICS = (
    "bookings", "mrr", "customer_health", "satisfaction_score", "pipeline_value", "win_rate", "churned_mrr",
    "product_actions", "issues_completed", "open_bugs",
)  # fmt: skip
"""What "performance" of the company as a whole is looked at by."""

RANKED_BY: dict[str, str] = {
    "deal": "bookings",
    "account": "mrr",
    "owner": "bookings",
    "industry": "bookings",
    "stage": "pipeline_value",
    "plan": "mrr",
    "competitor": "competitor_mentions",
    "topic": "topic_conversations",
    "feature": "feature_uses",
}
"""What the entities of a dimension are ranked by where a question only says "top" or "biggest"."""

LISTED_BY: dict[str, str] = {
    "deals_won": "bookings",
    "deals_lost": "lost_value",
    "deals_created": "pipeline_created",
    "open_deals": "pipeline_value",
    "slipped_deals": "slipped_value",
    "stalled_deals": "stalled_value",
    "invoices_overdue": "overdue_amount",
}
"""By which value single deals and invoices are listed, where each of them counts one."""

SIBLINGS: dict[tuple[str, str], str] = {
    ("conversations", "topic"): "topic_conversations",
    ("calls", "competitor"): "competitor_mentions",
    ("calls", "tracker"): "topic_conversations",
    ("calls", "topic"): "topic_conversations",
    ("conversations", "competitor"): "competitor_mentions",
    ("product_actions", "feature"): "feature_uses",
    ("old_documents", "data_table"): "oldest_events",
}
"""Which metric stands for another one where a dimension is wanted that the other lacks."""

NAMED_BY: dict[str, str] = {
    "competitor": "competitor_mentions",
    "topic": "topic_conversations",
    "tracker": "topic_conversations",
    "feature": "feature_uses",
}
"""What is counted where a question only names an entity of a dimension and asks how often."""

WORD_CHOICES: dict[str, tuple[str, ...]] = {
    "revenue": ("mrr", "bookings", "invoiced_amount", "payments_received"),
    "growth": ("net_new_mrr", "expansion_mrr", "new_business_bookings"),
    "turnover": ("mrr", "bookings", "invoiced_amount"),
    "income": ("mrr", "bookings", "invoiced_amount"),
}
"""Words that are asked back where one figure is wanted, and which figures they may mean."""

QUALITIES: dict[str, str] = {
    stem(word): metric
    for metric, words in {
        "customer_health": "healthy healthiest unhealthy unhealthiest health",
        "satisfaction_score": "satisfied happy happiest unhappy unhappiest dissatisfied satisfied",
        "product_actions": "engaged",
        "sales_activities": "busy busiest",
    }.items()
    for word in words.split()
}
"""Adjectives that ask for a score: `how satisfied are`, `least healthy`."""
OWNER_QUALITIES: dict[str, str] = {stem("active"): "sales_activities"}
"""Those that say something else of people."""
QUALITY_NOUNS = word_set("health")
CONTRARY = word_set("unhealthy unhealthiest unhappy unhappiest dissatisfied")

CLOSING: dict[str, frozenset[str]] = {
    "definition": _words(
        "mean means meaning meant stand stands compute computed calculate calculated define defined measure measured "
        "determine determined derived work worked works counted count counts metric kpi definition by as it that owns"
    ),
    "overview": _words("doing going performing perform looking look faring tracking done do been"),
    "freshness": _words("read loaded updated synced refreshed data last table tables system systems source sources"),
}
"""Words that close what a cue began: `what does MRR mean`."""

ORDERS: dict[str, str] = {
    **dict.fromkeys(_words("rank ranks ranked ranking sort sorted leaderboard"), "largest"),
    **dict.fromkeys(
        _words("highest most biggest largest greatest longest top leading maximum max richest oldest"), "largest"
    ),
    **dict.fromkeys(
        _words("soonest earliest nearest lowest least smallest fewest shortest minimum bottom weakest"), "smallest"),
    **dict.fromkeys(_words("best strongest healthiest happiest better"), "best"),
    **dict.fromkeys(_words("worst poorest unhappiest worse"), "worst"),
    **dict.fromkeys(_words("fastest quickest"), "shortest"),
    **dict.fromkeys(_words("slowest"), "longest"),
}  # fmt: skip

SOONEST = _words("soonest earliest nearest")
"""Words of order that ask for a time, whatever is ordered."""

NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=2
    )
} | {"fifteen": 15, "twenty": 20}

#: Stems that add nothing to a metric of an area, and words that add nothing to an overview.
SUPPORTING: dict[str, frozenset[str]] = {
    "sales": _stems("deal deals team reps sellers closed sale sales sold customers"),
    "revenue": _stems("customers accounts subscription subscriptions paying contract contracts invoices"),
    "customers": _stems("customers accounts score scores survey surveys"),
    "voice": _stems("customers accounts call calls chats slack gong conversation mentioned mention discussed"),
    "delivery": _stems("issues issue tickets bugs team teams linear engineers sprint"),
    "usage": _stems("product users accounts customers app"),
    "knowledge": _stems("documents knowledge base"),
    "data_health": _stems("data tables rows warehouse"),
    "overview": _words("doing going performing performance looking perform faring tracking account customer meeting "
                       "before relationship latest lately recently account situation"),
}  # fmt: skip

FOREIGN = {
    "German": _words("wie was warum welche welcher viele viel haben wir der die das und ist sind unsere im "
                     "letzten quartal umsatz kunden zeig mir von fur mit"),
    "French": _words("combien quel quelle quels quelles pourquoi nous avons les des est sont notre nos le la du "
                     "dernier trimestre chiffre clients montre moi avec pour"),
    "Spanish": _words("cuantos cuanto cual cuales por que como nuestros nuestro los las del el es son ultimo "
                      "trimestre ventas clientes muestrame con para hemos"),
    "Italian": _words("quanti quanto quale quali perche come abbiamo nostri nostro gli dei del il e sono ultimo "
                      "trimestre vendite clienti mostrami con per"),
    "Dutch": _words("hoeveel welke waarom hoe hebben wij onze het een van vorig kwartaal omzet klanten laat zien "
                    "met voor de"),
    "Portuguese": _words("quantos quanto qual quais porque como nossos nosso os das do o sao ultimo vendas "
                         "clientes mostre com para temos"),
    "Swedish": _words("hur manga vilka varfor vi har vara och ar forra kvartalet kunder visa mig med for forsaljning"),
}  # fmt: skip

#: Stems of words that say in which unit an answer is wanted.
_UNITS: dict[str, tuple[str, ...]] = {
    "count": ("number", "count", "quantity"),
    "usd": ("value", "worth", "amount", "dollar", "usd", "sum", "$", "money"),
    "percent": ("rate", "share", "percentage", "percent", "ratio", "proportion", "fraction"),
    "days": ("day", "days", "minute"),
    "mean": ("average", "mean", "avg", "typical"),
    "median": ("median",),
}
UNIT_WORDS: dict[str, str] = {stem(word): unit for unit, words in _UNITS.items() for word in words}
UNIT_SPOKEN = frozenset(word for words in _UNITS.values() for word in words)

DIMENSION_STEMS: dict[tuple[str, ...], str] = {
    stems_of(noun): dimension for dimension, nouns in DIMENSION_NOUNS.items() for noun in nouns
}
