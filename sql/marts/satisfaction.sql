/*---
description: Customers' answers to the satisfaction survey, under the account's CRM name.
owner: team:customer
grain: [response_id]
named_by: [staging.accounts]
columns:
  response_id: Id of the answer
  account_id: HubSpot company id
  account: The account's name
  score: Score from 1 (bad) to 5 (good)
  responded_on: Day of the answer (business time zone)
---*/
SELECT
    answers.response_id,
    answers.account_id,
    COALESCE(accounts.account, answers.account_name, 'Account ' || answers.account_id) AS account,
    answers.score,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, answers.responded_at) AS DATE) AS responded_on
FROM snowflake.satisfaction AS answers
LEFT JOIN staging.accounts ON answers.account_id = accounts.account_id
WHERE answers._deleted_at IS NULL
