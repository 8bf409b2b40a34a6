/*---
description: >-
  What made recurring revenue move, account by account and day by day, all its subscriptions together: a first
  revenue is new, a later one after a time without is a reactivation, more is expansion, less is contraction, none
  any more is churn. A renewal or a change of plan at the same price moves nothing.
owner: team:finance
grain: [account_id, happened_on]
columns:
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  account: The account's name
  movement: new, reactivation, expansion, contraction or churn
  happened_on: Day the movement took effect
  amount: Size of the movement in US dollars of monthly recurring revenue, always above 0
  change: The movement with its sign in US dollars, negative where revenue was lost
  mrr_before: The account's monthly recurring revenue until then in US dollars
  mrr_after: The account's monthly recurring revenue from then on in US dollars
expectations:
  - {kind: not_null, columns: [account_id, account, movement, happened_on, amount]}
  - {kind: one_of, column: movement, values: [new, reactivation, expansion, contraction, churn]}
  - {kind: between, columns: [amount, mrr_before, mrr_after], min: 0}
---*/
WITH terms AS (
    SELECT
        account_id,
        account,
        mrr,
        valid_from,
        valid_to
    FROM staging.subscription_terms
    WHERE valid_to IS NULL OR valid_from < valid_to
),

steps AS (
    SELECT account_id, account, valid_from AS happened_on, mrr AS step
    FROM terms
    UNION ALL
    SELECT account_id, account, valid_to AS happened_on, -mrr AS step
    FROM terms
    WHERE valid_to IS NOT NULL
),

changes AS (
    SELECT
        account_id,
        MIN(account) AS account,
        happened_on,
        SUM(step) AS change
    FROM steps
    GROUP BY account_id, happened_on
    HAVING SUM(step) <> 0
),

levels AS (
    SELECT
        *,
        SUM(change) OVER (
            PARTITION BY account_id ORDER BY happened_on ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS mrr_after,
        ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY happened_on) AS place
    FROM changes
)

SELECT
    account_id,
    account,
    CASE
        WHEN place = 1 THEN 'new'
        WHEN mrr_after = change THEN 'reactivation'
        WHEN mrr_after = 0 THEN 'churn'
        WHEN change > 0 THEN 'expansion'
        ELSE 'contraction'
    END AS movement,
    happened_on,
    ABS(change) AS amount,
    change,
    mrr_after - change AS mrr_before,
    mrr_after
FROM levels
