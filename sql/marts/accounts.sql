/*---
description: >-
  Every account with where it stands now: owner, recurring revenue, next renewal, open pipeline, latest
  satisfaction and when anybody last spoke with it.
owner: team:customer
grain: [account_id]
columns:
  account_id: HubSpot company id
  account: The account's name
  industry: Industry
  owner: Who looks after it
  mrr: Monthly recurring revenue in US dollars, 0 where it is not a customer
  renews_on: Next renewal of a running term
  open_pipeline: Open deals in US dollars
  satisfaction: Mean score over the latest 60 days with an answer, 1 to 5
  last_call_on: Day of the latest recorded call
---*/
WITH revenue AS (
    SELECT
        account_id,
        SUM(mrr) AS mrr,
        MIN(renewal_date) AS renews_on
    FROM marts.recurring_revenue
    WHERE valid_to IS NULL
    GROUP BY account_id
),

pipeline AS (
    SELECT
        account_id,
        SUM(amount) AS open_pipeline
    FROM marts.deals
    WHERE is_open
    GROUP BY account_id
),

scores AS (
    SELECT
        account_id,
        AVG(score) AS satisfaction
    FROM (
        SELECT
            account_id,
            score,
            responded_on,
            MAX(responded_on) OVER (PARTITION BY account_id) AS latest_on
        FROM marts.satisfaction
    ) AS answers
    WHERE responded_on > DATEADD('day', -60, latest_on)
    GROUP BY account_id
),

last_calls AS (
    SELECT
        account_id,
        MAX(started_on) AS last_call_on
    FROM marts.calls
    GROUP BY account_id
)

SELECT
    accounts.account_id,
    accounts.account,
    accounts.industry,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    COALESCE(revenue.mrr, 0) AS mrr,
    revenue.renews_on,
    COALESCE(pipeline.open_pipeline, 0) AS open_pipeline,
    scores.satisfaction,
    last_calls.last_call_on
FROM staging.accounts
LEFT JOIN staging.owners ON accounts.owner_id = owners.owner_id
LEFT JOIN revenue ON accounts.account_id = revenue.account_id
LEFT JOIN pipeline ON accounts.account_id = pipeline.account_id
LEFT JOIN scores ON accounts.account_id = scores.account_id
LEFT JOIN last_calls ON accounts.account_id = last_calls.account_id
