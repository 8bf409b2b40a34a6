/*---
description: >-
  What made recurring revenue move: a first term is new, a larger next term expansion, a smaller one
  contraction, and a last term that has ended is churn.
owner: team:finance
grain: [term_id, movement]
columns:
  term_id: Id of the term that began or, for churn, ended
  account_id: HubSpot company id
  account: The account's name
  movement: new, expansion, contraction or churn
  happened_on: Day the movement took effect
  amount: Size of the movement in US dollars of monthly recurring revenue, never negative
---*/
WITH neighbours AS (
    SELECT
        *,
        LAG(term_id) OVER (PARTITION BY subscription_id ORDER BY valid_from, term_id) AS term_before,
        COALESCE(LAG(mrr) OVER (PARTITION BY subscription_id ORDER BY valid_from, term_id), 0) AS mrr_before,
        LEAD(term_id) OVER (PARTITION BY subscription_id ORDER BY valid_from, term_id) AS next_term
    FROM staging.subscription_terms
)

SELECT
    term_id,
    account_id,
    account,
    CASE
        WHEN term_before IS NULL THEN 'new'
        WHEN mrr > mrr_before THEN 'expansion'
        ELSE 'contraction'
    END AS movement,
    valid_from AS happened_on,
    ABS(mrr - mrr_before) AS amount
FROM neighbours
WHERE term_before IS NULL OR mrr <> mrr_before
UNION ALL
SELECT
    term_id,
    account_id,
    account,
    'churn' AS movement,
    valid_to AS happened_on,
    mrr AS amount
FROM neighbours
WHERE valid_to IS NOT NULL AND next_term IS NULL
