"""What the toy model can say about a story: that it happened, that it may go wrong, what to decide, what to do."""

from __future__ import annotations

Shapes = tuple[str, ...]

_TAIL = ": [s.owner], by [s.due]."

#: As something that happened.
CHANGES: dict[str, Shapes] = {
    "account_at_risk": (
        "At [s], its satisfaction score [satisfaction_score.moved] [satisfaction_score.delta] to [satisfaction_score].",
        "At [s], leaving came up in [churn_risk_mentions] [churn_risk_mentions.n:call].",
        "At [s], satisfaction [satisfaction_score.moved] from [satisfaction_score.prev] to [satisfaction_score], and"
        " its renewal is in [days_to_renewal].",
        "[s] pays [mrr] a month and renews in [days_to_renewal].",
        "[s], which renews in [days_to_renewal], scored us [satisfaction_score].",
    ),
    "slipping_deal": (
        "[s], worth [x], keeps slipping: its close date moved [close_date_pushes] [close_date_pushes.n:time].",
        "[s], worth [x], is [days_past_close] past its close date.",
        "[s] moved its close date [close_date_pushes] [close_date_pushes.n:time].",
        "[s] is worth [x] and is [days_past_close] past its close date.",
        "[s] is worth [x].",
    ),
    "stalled_stage": (
        "[s] has [stalled_deals] stalled [stalled_deals.n:deal], [stalled_deals.dir] [stalled_deals.delta] from"
        " [stalled_deals.prevp].",
        "[s] has [stalled_deals] stalled [stalled_deals.n:deal], with [stalled_value] stuck.",
        "In [s], [stalled_deals] [stalled_deals.n:deal] [stalled_deals.are] stalled, worth [stalled_value].",
        "In [s], [stalled_deals] [stalled_deals.n:deal] [stalled_deals.are] stuck.",
    ),
    "competitor_pressure": (
        "[s] came up in [x] [x.n:call][x.when], [x.dir] [x.delta] from [x.prevp].",
        "[s] came up in [x] [x.n:call][x.when], after [x.prev] [x.atprev].",
        "[s] came up in [x] [x.n:call][x.when].",
        "Customers named [s], a competitor that came up in [x] [x.n:call][x.when].",
    ),
    "overdue_payment": (
        "[s] owes [x] in overdue invoices.",
        "[s] owes [x] in overdue invoices, [x.dir] [x.delta] from [x.prevp].",
        "[s] owes us [x].",
        "At [s], overdue invoices come to [x].",
    ),
    "expansion": (
        "[s] added [x] a month[x.when] and now pays [mrr] a month.",
        "[s] added [x] a month[x.when].",
        "[s] added [x] a month[x.when], and its recurring revenue is [mrr].",
        "At [s], expansion came to [x] a month[x.when].",
    ),
    "churn": (
        "[s] left[x.when] and took [x] a month with it.",
        "[s] left[x.when] and took [x] of recurring revenue with it.",
        "[s] took [x] a month with it when it left[x.when].",
        "At [s], churn came to [x] a month[x.when].",
        "[s] churned[x.when], and [x] a month went with it.",
    ),
    "big_win": (
        "We won [s], worth [x][x.when].",
        "We won [s], worth [x], [x.period].",
        "The team closed [s] at [x][x.when].",
        "The team won [s] for [x][x.when].",
        "[s] closed at [x][x.when].",
    ),
}
#: As something that may go wrong, with its likelihood.
RISKS: dict[str, Shapes] = {
    "account_at_risk": (
        "[s], which pays [mrr] a month and renews in [days_to_renewal], [s.odds:to leave/leaving/is].",
        "[s] [s.odds:to leave/leaving/is]: leaving came up in [churn_risk_mentions] [churn_risk_mentions.n:call], and"
        " its renewal is in [days_to_renewal].",
        "[s] [s.odds:to leave/leaving/is]: its satisfaction score [satisfaction_score.moved]"
        " [satisfaction_score.delta] to [satisfaction_score].",
        "[s], which renews in [days_to_renewal], [s.odds:to leave/leaving/is]: its satisfaction score is"
        " [satisfaction_score].",
        "[s] [s.odds:to leave/leaving/is]: it pays [mrr] a month, and its renewal is in [days_to_renewal].",
    ),
    "slipping_deal": (
        "[s], worth [x], [s.odds:to slip again/slipping again/is]: its close date moved [close_date_pushes]"
        " [close_date_pushes.n:time].",
        "[s], worth [x], [s.odds:to slip again/slipping again/is]: it is [days_past_close] past its close date.",
        "[s] [s.odds:to slip again/slipping again/is], and it is worth [x].",
        "[s], worth [x], [s.odds:to slip again/slipping again/is].",
    ),
    "stalled_stage": (
        "Deals waiting in [s] [s.odds:to go cold/going cold/are]: [stalled_deals] [stalled_deals.are] stalled.",
        "Deals waiting in [s] [s.odds:to go cold/going cold/are]: [stalled_deals] [stalled_deals.are] stalled, worth"
        " [stalled_value].",
        "In [s], [stalled_deals] stalled [stalled_deals.n:deal] [s.odds:to go cold/going cold/are].",
    ),
    "competitor_pressure": (
        "[s] [s.odds:to cost us deals/costing us deals/is]: it came up in [x] [x.n:call][x.when].",
        "[s] [s.odds:to cost us deals/costing us deals/is]: it came up in [x] [x.n:call][x.when], [x.dir] [x.delta]"
        " from [x.prevp].",
        "[s], which came up in [x] [x.n:call][x.when], [s.odds:to cost us deals/costing us deals/is].",
    ),
    "overdue_payment": (
        "[s] [s.odds:to pay later still/paying later still/is]: it owes [x] in overdue invoices.",
        "[s], which owes [x], [s.odds:to pay later still/paying later still/is].",
        "[s] [s.odds:to keep us waiting for its money/keeping us waiting for its money/is]: it owes [x].",
    ),
}
#: What the reader has to decide, for the bottom line: short, with the date.
DECISIONS: dict[str, Shapes] = {
    "account_at_risk": (
        "Decide by [s.due] how to keep [s], which pays [mrr] a month.",
        "Decide by [s.due] how to keep [s], which renews in [days_to_renewal].",
        "By [s.due], decide how to keep [s], which pays [mrr] a month and renews in [days_to_renewal].",
    ),
    "slipping_deal": (
        "Decide by [s.due] whether [s], worth [x], stays in the forecast.",
        "By [s.due], decide whether [s], worth [x], stays in the forecast.",
        "We need a decision by [s.due] on [s], worth [x].",
    ),
    "stalled_stage": (
        "Decide by [s.due] what to do about the [s] stage, where [stalled_deals] [stalled_deals.n:deal]"
        " [stalled_deals.are] stalled.",
        "By [s.due], decide what to do about [s], where [stalled_deals] [stalled_deals.n:deal] [stalled_deals.are]"
        " stuck.",
    ),
    "competitor_pressure": (
        "Decide by [s.due] how to answer [s], which came up in [x] [x.n:call][x.when].",
        "By [s.due], decide how to answer [s], which came up in [x] [x.n:call][x.when].",
    ),
    "overdue_payment": (
        "Decide by [s.due] how to collect from [s], which owes [x].",
        "By [s.due], decide how to collect the [x] that [s] owes.",
    ),
    "expansion": ("Decide by [s.due] what comes next for [s], which added [x] a month.",),
    "churn": ("Decide by [s.due] how to win back [s], which took [x] a month away.",),
    "big_win": (
        "Decide by [s.due] who looks after [s], won for [x].",
        "By [s.due], decide who looks after [s], won for [x].",
    ),
}
#: What to do, who and by when.
ACTIONS: dict[str, Shapes] = {
    "account_at_risk": (
        "Agree a recovery plan with [s]" + _TAIL,
        "Meet [s] and agree a plan" + _TAIL,
        "Visit [s] and ask what is missing" + _TAIL,
    ),
    "slipping_deal": (
        "Set a firm close date for [s] or take it out of the forecast" + _TAIL,
        "Ask the buyer at [s] for a firm date" + _TAIL,
        "Confirm the date of [s] with its buyer" + _TAIL,
    ),
    "stalled_stage": (
        "Review the deals waiting in [s]" + _TAIL,
        "Move or close the deals that wait in [s]" + _TAIL,
        "Review [s] deal by deal" + _TAIL,
    ),
    "expansion": ("Thank [s] and ask for a reference" + _TAIL, "Ask [s] for a reference" + _TAIL),
    "churn": ("Ask [s] why it left" + _TAIL, "Ask [s] what it was missing" + _TAIL),
    "competitor_pressure": (
        "Give the sales team an answer to [s]" + _TAIL,
        "Prepare the team to answer [s]" + _TAIL,
    ),
    "overdue_payment": (
        "Call [s] about its overdue invoices" + _TAIL,
        "Ask [s] to pay its overdue invoices" + _TAIL,
    ),
    "big_win": ("Hand [s] over to customer success" + _TAIL, "Invite [s] to meet the team" + _TAIL),
    "metric_change": ("Find out what moved [x.noun]" + _TAIL, "Explain what moved [x.noun]" + _TAIL),
}
#: For kinds of story that nobody told the model about.
ANY_CHANGE: Shapes = (
    "At [s], [x.noun] [x.moved] [x.delta] to [x][x.since].",
    "At [s], [x.noun] [x.be] [x][x.when], [x.dir] [x.delta] from [x.prevp].",
    "At [s], [x.noun] [x.be] [x][x.when].",
    "At [s], [x.noun] [x.v:stand] at [x][x.when].",
)
ANY_DECISION: Shapes = (
    "Decide by [s.due] what to do about [s], where [x.noun] [x.be] [x].",
    "By [s.due], decide what to do about [s], where [x.noun] [x.be] [x].",
)
ANY_ACTION: Shapes = ("Review [s] with its team" + _TAIL, "Plan what comes next for [s]" + _TAIL)
