/*---
description: Customers' answers to the satisfaction survey, under the account that the CRM knows them by.
owner: team:customer
grain: [response_id]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  response_id: Id of the answer
  account_id: HubSpot company id, the survey's own id or name where the CRM does not know it
  account: The account's name
  score: Score from 1 (bad) to 5 (good)
  feeling: satisfied (4 and 5), neutral (3) or dissatisfied (1 and 2)
  responded_on: Day of the answer (business time zone)
expectations:
  - {kind: not_null, columns: [response_id, score, feeling, responded_on]}
  - {kind: between, column: score, min: 1, max: 5}
  - {kind: one_of, column: feeling, values: [satisfied, neutral, dissatisfied]}
---*/
WITH answers AS (
    SELECT
        *,
        CASE WHEN NULLIF(TRIM(account_id), '') IS NULL THEN 'name' ELSE 'id' END AS key_kind,
        COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) AS key
    FROM snowflake.satisfaction
    WHERE _deleted_at IS NULL
)

SELECT
    answers.response_id,
    COALESCE(keys.account_id, answers.key) AS account_id,
    COALESCE(accounts.account, answers.account_name, 'Account ' || answers.account_id) AS account,
    answers.score,
    CASE WHEN answers.score >= 4 THEN 'satisfied' WHEN answers.score = 3 THEN 'neutral' ELSE 'dissatisfied' END
        AS feeling,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, answers.responded_at) AS DATE) AS responded_on
FROM answers
LEFT JOIN staging.account_keys AS keys
    ON keys.system = 'snowflake' AND answers.key_kind = keys.kind AND answers.key = keys.key
LEFT JOIN staging.accounts ON keys.account_id = accounts.account_id
