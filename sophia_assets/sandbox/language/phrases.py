"""What the toy model can say about a company's figures: several shapes for each situation."""

from __future__ import annotations

#: A figure that moved.
MOVED = (
    "[x.Noun] [x.be] [x][x.when], [x.dir] [x.delta] from [x.prevp].",
    "[x.Noun] [x.moved] [x.delta] to [x][x.since].",
    "[x.Noun] [x.moved] by [x.delta] to [x][x.since].",
    "[x.Noun] [x.moved] from [x.prev] to [x][x.since].",
    "[x.Noun] [x.moved] [x.change] to [x][x.since].",
    "[x.Noun] [x.v:stand] at [x][x.when], [x.dir] [x.delta] from [x.prevp].",
    "[x.Noun] [x.v:come] to [x][x.when], [x.dir] [x.change] from [x.prevp].",
    "[x.Noun] [x.be] [x][x.when], [x.delta] [x.compared] than [x.atprev].",
    "At [x][x.when], [x.noun] [x.be] [x.dir] [x.delta] from [x.prevp].",
    "With [x][x.when], [x.noun] [x.be] [x.dir] [x.change] from [x.prevp].",
    "From [x.prev] [x.atprev], [x.noun] [x.moved] to [x][x.when].",
    "[x.Noun], at [x][x.when], [x.moved] [x.delta] from [x.prevp].",
    "[x.Noun] [x.be] [x][x.when], against [x.prev] [x.atprev].",
    "[x.Noun] [x.v:stand] at [x][x.when] after [x.prev] [x.atprev].",
    "[x.Noun] [x.be] at [x][x.when], compared with [x.prev] [x.atprev].",
    "The figure for [x.noun] is [x][x.when], [x.dir] [x.delta] from [x.prevp].",
    "We are at [x] in [x.noun][x.when], [x.dir] [x.delta] from [x.prevp].",
    "We have [x.noun] at [x][x.when], [x.dir] [x.change] from [x.prevp].",
    "[x.Noun] [x.be] [x][x.when], [x.trend].",
    "[x.Noun] [x.v:stand] at [x][x.when], [x.trend].",
)
#: A figure that did not move, or of which it is not known.
STATED = (
    "[x.Noun] [x.be] [x][x.when].",
    "[x.Noun] [x.v:stand] at [x][x.when].",
    "[x.Noun] [x.v:come] to [x][x.when].",
    "[x.Noun] [x.be] at [x][x.when].",
    "We are at [x] in [x.noun][x.when].",
    "The figure for [x.noun] is [x][x.when].",
)
#: The headline of the bottom line, in few words.
HEADLINES = (
    "[x.Noun] [x.be] [x][x.when], [x.dir] [x.delta].",
    "[x.Noun] [x.v:stand] at [x][x.when], [x.dir] [x.change].",
    "At [x][x.when], [x.noun] [x.be] [x.dir] [x.delta].",
    "[x.Noun] [x.moved] [x.delta] to [x][x.when].",
    "[x.Noun] [x.be] [x][x.when], [x.dir] [x.delta] from [x.prevp].",
)
TARGETS = (
    "[x.Noun] [x.be] [x] against a target of [x.target].",
    "[x.Noun] [x.be] [x][x.when]; the target is [x.target].",
    "[x.Noun] [x.v:come] to [x][x.when], with a target of [x.target].",
    "We are at [x] in [x.noun][x.when], with a target of [x.target].",
    "[x.Noun] [x.v:stand] at [x][x.when], measured against a target of [x.target].",
    "With a target of [x.target], [x.noun] [x.be] at [x][x.when].",
    "[x.Noun] [x.be] [x][x.when], [x.side] the target of [x.target].",
    "At [x][x.when], [x.noun] [x.be] [x.side] the target of [x.target].",
)
BOOKED = (
    "We booked [x][x.when], a run-rate of [x.run], against [x.prev] [x.atprev].",
    "We booked [x][x.when], against [x.prev] [x.atprev].",
    "At a run-rate of [x.run], [x.noun] [x.be] [x][x.when].",
    "[x.Noun] [x.be] [x][x.when], a run-rate of [x.run].",
    "The team booked [x][x.when], [x.dir] [x.delta] from [x.prevp].",
    "[x.Noun] [x.be] [x][x.when], against [x.prev] [x.atprev].",
)
LEADERS = (
    "[x.subject] brought in [x], [x.share] of the total.",
    "[x.subject] brought in [x][x.when], [x.share] of the total.",
    "[x.subject] brought in [x][x.when], which is [x.share] of the total.",
    "[x.subject] booked [x], which is [x.share] of the total.",
)
WON_AND_LOST = (
    "The team won [deals_won] [deals_won.n:deal] and lost [deals_lost], a win rate of [win_rate].",
    "The team won [deals_won] [deals_won.n:deal] and lost [deals_lost], a win rate of [win_rate], [win_rate.dir]"
    " [win_rate.delta].",
    "We won [deals_won] [deals_won.n:deal] and lost [deals_lost][deals_lost.when].",
    "We won [deals_won] [deals_won.n:deal] and lost [deals_lost], for a win rate of [win_rate].",
    "The win rate is [win_rate][win_rate.when], with [deals_won] [deals_won.n:deal] won and [deals_lost] lost.",
)
PIPELINE = (
    "Open pipeline stands at [pipeline_value] across [open_deals] [open_deals.n:deal].",
    "Open pipeline stands at [pipeline_value] across [open_deals] [open_deals.n:deal], [pipeline_value.dir]"
    " [pipeline_value.delta].",
    "We have [open_deals] open [open_deals.n:deal], with a pipeline of [pipeline_value].",
    "The pipeline holds [open_deals] [open_deals.n:deal], worth [pipeline_value].",
    "Open pipeline [pipeline_value.moved] [pipeline_value.delta] to [pipeline_value] since [pipeline_value.prevp].",
    "Across [open_deals] open [open_deals.n:deal], the pipeline is [pipeline_value].",
)
SATISFACTION = (
    "Customers scored us [satisfaction_score][satisfaction_score.when], across [satisfaction_responses]"
    " [satisfaction_responses.n:response].",
    "Customers scored us [satisfaction_score][satisfaction_score.when], [satisfaction_score.dir]"
    " [satisfaction_score.delta] from [satisfaction_score.prevp].",
    "Customer satisfaction [satisfaction_score.moved] from [satisfaction_score.prev] to [satisfaction_score]"
    "[satisfaction_score.when].",
    "Customers scored us [satisfaction_score][satisfaction_score.when].",
    "Across [satisfaction_responses] [satisfaction_responses.n:response], customers scored us [satisfaction_score]"
    "[satisfaction_score.when].",
    "Satisfaction stands at [satisfaction_score][satisfaction_score.when], after [satisfaction_score.prev]"
    " [satisfaction_score.atprev].",
)
CALLS = (
    "We held [calls] [calls.n:call] and spoke with [customers_spoken_to] [customers_spoken_to.n:account]"
    "[customers_spoken_to.when].",
    "We held [calls] [calls.n:call][calls.when], [calls.dir] [calls.delta] from [calls.prevp].",
    "We spoke with [customers_spoken_to] [customers_spoken_to.n:account] in [calls] [calls.n:call][calls.when].",
    "The teams held [calls] [calls.n:call][calls.when].",
    "Across [calls] [calls.n:call], we spoke with [customers_spoken_to] [customers_spoken_to.n:account][calls.when].",
)
LEAVING = (
    "Talk of leaving came up in [churn_risk_mentions] [churn_risk_mentions.n:call][churn_risk_mentions.when],"
    " [churn_risk_mentions.dir] [churn_risk_mentions.delta] from [churn_risk_mentions.prevp].",
    "Talk of leaving came up in [churn_risk_mentions] [churn_risk_mentions.n:call][churn_risk_mentions.when].",
    "Talk of leaving came up in [churn_risk_mentions] [churn_risk_mentions.n:call][churn_risk_mentions.when], after"
    " [churn_risk_mentions.prev] [churn_risk_mentions.atprev].",
)
USE = (
    "Use of the product came to [product_actions] [product_actions.n:action][product_actions.when],"
    " [product_actions.dir] [product_actions.delta] from [product_actions.prevp].",
    "Use of the product came to [product_actions] [product_actions.n:action][product_actions.when], with"
    " [active_accounts] active [active_accounts.n:account].",
    "Customers made for [product_actions] [product_actions.n:action] in the product[product_actions.when].",
    "With [active_accounts] active [active_accounts.n:account], use of the product came to [product_actions]"
    " [product_actions.n:action][product_actions.when].",
    "[active_accounts] active [active_accounts.n:account] made for [product_actions] [product_actions.n:action]"
    "[product_actions.when].",
)
DELIVERY = (
    "The teams completed [issues_completed] [issues_completed.n:issue][issues_completed.when], with a cycle time of"
    " [cycle_time_days].",
    "The teams completed [issues_completed] [issues_completed.n:issue][issues_completed.when], [issues_completed.dir]"
    " [issues_completed.delta] from [issues_completed.prevp].",
    "The teams completed [issues_completed] [issues_completed.n:issue][issues_completed.when].",
    "With a cycle time of [cycle_time_days], the teams completed [issues_completed] [issues_completed.n:issue]"
    "[issues_completed.when].",
    "The cycle time is [cycle_time_days][cycle_time_days.when], with [issues_completed]"
    " [issues_completed.n:issue] completed.",
)
