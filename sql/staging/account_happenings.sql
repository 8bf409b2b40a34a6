/*---
description: >-
  What happened to each account on each day, in numbers that add up from day to day: use of the product, survey
  answers, bugs reported less bugs done, contacts, invoices that became overdue less those that were paid.
owner: team:customer
grain: [account_id, day]
optional: [marts.usage_days, marts.satisfaction, marts.invoices, marts.issues, staging.issue_accounts,
  staging.account_contacts]
columns:
  account_id: HubSpot company id, another system's own id or name where the CRM does not know it
  day: The day (business time zone)
  actions: Actions in the product
  active_users: People who used the product
  answers: Answers to the satisfaction survey
  score_sum: Sum of their scores
  bugs: Bugs reported for the account, less those that were done
  contact_on: The day itself, where people of the company spoke with the account
  overdue: Invoices that became overdue less overdue ones that were paid, in US dollars
  long_overdue: The same for those more than 30 days past their due day
expectations:
  - {kind: not_null, columns: [account_id, day]}
---*/
WITH bugs AS (
    SELECT
        about.account_id,
        issues.created_on,
        CASE WHEN NOT issues.is_open THEN COALESCE(issues.completed_on, issues.canceled_on, issues.created_on) END
            AS done_on
    FROM marts.issues AS issues
    INNER JOIN staging.issue_accounts AS about ON issues.issue_id = about.issue_id
    WHERE issues.is_bug
),

debts AS (
    SELECT
        account_id,
        amount,
        paid_on,
        CAST(DATEADD('day', 1, due_on) AS DATE) AS overdue_from,
        CAST(DATEADD('day', 31, due_on) AS DATE) AS long_overdue_from
    FROM marts.invoices
    WHERE paid_on IS NULL OR paid_on > due_on
),

happenings AS (
    SELECT account_id, day, 'use' AS what, actions, active_users, 0 AS number, 0 AS amount
    FROM marts.usage_days
    UNION ALL
    SELECT account_id, responded_on AS day, 'answer' AS what, 0, 0, score AS number, 0
    FROM marts.satisfaction
    UNION ALL
    SELECT account_id, created_on AS day, 'bug' AS what, 0, 0, 1 AS number, 0
    FROM bugs
    UNION ALL
    SELECT account_id, done_on AS day, 'bug' AS what, 0, 0, -1 AS number, 0
    FROM bugs
    WHERE done_on IS NOT NULL
    UNION ALL
    SELECT account_id, day, 'contact' AS what, 0, 0, 0, 0
    FROM staging.account_contacts
    UNION ALL
    SELECT account_id, overdue_from AS day, 'overdue' AS what, 0, 0, 0, amount
    FROM debts
    UNION ALL
    SELECT account_id, paid_on AS day, 'overdue' AS what, 0, 0, 0, -amount AS amount
    FROM debts
    WHERE paid_on IS NOT NULL
    UNION ALL
    SELECT account_id, long_overdue_from AS day, 'long overdue' AS what, 0, 0, 0, amount
    FROM debts
    WHERE paid_on IS NULL OR paid_on > long_overdue_from
    UNION ALL
    SELECT account_id, paid_on AS day, 'long overdue' AS what, 0, 0, 0, -amount AS amount
    FROM debts
    WHERE paid_on > long_overdue_from
)

SELECT
    account_id,
    day,
    SUM(actions) AS actions,
    SUM(active_users) AS active_users,
    SUM(CASE WHEN what = 'answer' THEN 1 ELSE 0 END) AS answers,
    SUM(CASE WHEN what = 'answer' THEN number ELSE 0 END) AS score_sum,
    SUM(CASE WHEN what = 'bug' THEN number ELSE 0 END) AS bugs,
    MAX(CASE WHEN what = 'contact' THEN day END) AS contact_on,
    SUM(CASE WHEN what = 'overdue' THEN amount ELSE 0 END) AS overdue,
    SUM(CASE WHEN what = 'long overdue' THEN amount ELSE 0 END) AS long_overdue
FROM happenings
WHERE account_id IS NOT NULL AND day IS NOT NULL
GROUP BY account_id, day
