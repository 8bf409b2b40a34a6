/*---
description: >-
  What is counted of each customer at the end of each day on which it has a running subscription. What a system
  that was never read, or not up to that day, would have said is empty; 0 means that there was none.
owner: team:customer
grain: [account_id, day]
optional: [staging.account_happenings, marts.usage_days, staging.account_contacts]
columns:
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  day: The day (business time zone)
  mrr: Monthly recurring revenue in US dollars
  seats: Seats sold
  renews_on: Next renewal of a running term
  customer_since: First day of the account's first term
  actions_28d: Actions in the product in the 28 days up to the day
  actions_28d_before: Actions in the 28 days before those
  peak_users_28d: Most people who used the product on one day of the 28
  answers_90d: Answers to the survey in the 90 days up to the day
  score_90d: Their mean score, 1 to 5, empty without an answer
  open_bugs: Bugs reported for the account that were not done
  last_contact_on: Day on which people of the company last spoke with the account
  contacts_known_since: First day of any contact with any account
  overdue_amount: Unpaid invoices past their due day in US dollars
  long_overdue_amount: Those of them more than 30 days past it
expectations:
  - {kind: not_null, columns: [account_id, day, mrr]}
  - kind: between
    columns: [actions_28d, actions_28d_before, peak_users_28d, answers_90d, open_bugs, overdue_amount,
      long_overdue_amount]
    min: 0
  - {kind: between, column: score_90d, min: 1, max: 5}
---*/
WITH reads AS (
    -- A read up to midnight knows the day before.
    SELECT
        MAX(CASE WHEN table_name = 'redis.daily_usage' THEN read_day END) AS usage_until,
        MAX(CASE WHEN table_name = 'snowflake.satisfaction' THEN read_day END) AS answers_until,
        MAX(CASE WHEN table_name = 'snowflake.invoices' THEN read_day END) AS invoices_until,
        MAX(CASE WHEN table_name = 'linear.issues' THEN read_day END) AS issues_until,
        MAX(CASE WHEN table_name = 'gong.calls' THEN read_day END) AS calls_until
    FROM (
        SELECT
            table_name,
            CAST(CONVERT_TIMEZONE('UTC', :timezone, DATEADD('second', -1, loaded_through)) AS DATE) AS read_day
        FROM _sophia.state
    ) AS states
),

calendar AS (
    SELECT MIN(day) AS first_day
    FROM staging.days
),

first_uses AS (
    SELECT MIN(CASE WHEN usage.day < calendar.first_day THEN calendar.first_day ELSE usage.day END) AS first_use
    FROM marts.usage_days AS usage
    CROSS JOIN calendar
),

first_contacts AS (
    SELECT MIN(day) AS first_contact
    FROM staging.account_contacts
),

customers AS (
    SELECT account_id, MIN(valid_from) AS customer_since
    FROM staging.subscription_terms
    GROUP BY account_id
),

running_terms AS (
    SELECT
        terms.account_id,
        days.day,
        SUM(terms.mrr) AS mrr,
        SUM(terms.seats) AS seats,
        MIN(terms.renewal_date) AS renews_on
    FROM staging.subscription_terms AS terms
    INNER JOIN staging.days AS days
        ON terms.valid_from <= days.day AND (terms.valid_to IS NULL OR days.day < terms.valid_to)
    GROUP BY terms.account_id, days.day
),

-- Every customer on every day, so that so many rows are so many days; what came before the first day stands on it.
every_day AS (
    SELECT account_id, day, actions, active_users, answers, score_sum, bugs, contact_on, overdue, long_overdue
    FROM staging.account_happenings
    CROSS JOIN calendar
    WHERE day >= first_day
    UNION ALL
    SELECT account_id, first_day AS day, 0, 0, 0, 0, bugs, contact_on, overdue, long_overdue
    FROM staging.account_happenings
    CROSS JOIN calendar
    WHERE day < first_day
    UNION ALL
    SELECT customers.account_id, days.day, 0, 0, 0, 0, 0, NULL, 0, 0
    FROM customers
    CROSS JOIN staging.days AS days
),

daily AS (
    SELECT
        every_day.account_id,
        every_day.day,
        SUM(actions) AS actions,
        MAX(active_users) AS active_users,
        SUM(answers) AS answers,
        SUM(score_sum) AS score_sum,
        SUM(bugs) AS bugs,
        MAX(contact_on) AS contact_on,
        SUM(overdue) AS overdue,
        SUM(long_overdue) AS long_overdue
    FROM every_day
    INNER JOIN customers ON every_day.account_id = customers.account_id
    GROUP BY every_day.account_id, every_day.day
),

sums AS (
    SELECT
        account_id,
        day,
        SUM(actions) OVER (PARTITION BY account_id ORDER BY day ROWS BETWEEN 27 PRECEDING AND CURRENT ROW)
            AS actions_28d,
        SUM(actions) OVER (PARTITION BY account_id ORDER BY day ROWS BETWEEN 55 PRECEDING AND 28 PRECEDING)
            AS actions_28d_before,
        MAX(active_users) OVER (PARTITION BY account_id ORDER BY day ROWS BETWEEN 27 PRECEDING AND CURRENT ROW)
            AS peak_users_28d,
        SUM(answers) OVER (PARTITION BY account_id ORDER BY day ROWS BETWEEN 89 PRECEDING AND CURRENT ROW)
            AS answers_90d,
        SUM(score_sum) OVER (PARTITION BY account_id ORDER BY day ROWS BETWEEN 89 PRECEDING AND CURRENT ROW)
            AS score_sum_90d,
        SUM(bugs) OVER (PARTITION BY account_id ORDER BY day ROWS UNBOUNDED PRECEDING) AS open_bugs,
        MAX(contact_on) OVER (PARTITION BY account_id ORDER BY day ROWS UNBOUNDED PRECEDING) AS last_contact_on,
        SUM(overdue) OVER (PARTITION BY account_id ORDER BY day ROWS UNBOUNDED PRECEDING) AS overdue_amount,
        SUM(long_overdue) OVER (PARTITION BY account_id ORDER BY day ROWS UNBOUNDED PRECEDING) AS long_overdue_amount
    FROM daily
),

known AS (
    SELECT
        terms.*,
        terms.day <= reads.usage_until AND first_uses.first_use <= CAST(DATEADD('day', -27, terms.day) AS DATE)
            AS knows_28d,
        terms.day <= reads.usage_until AND first_uses.first_use <= CAST(DATEADD('day', -55, terms.day) AS DATE)
            AS knows_56d,
        terms.day <= reads.answers_until AS knows_answers,
        terms.day <= reads.issues_until AS knows_issues,
        terms.day <= reads.calls_until AS knows_calls,
        terms.day <= reads.invoices_until AS knows_invoices,
        first_contacts.first_contact
    FROM running_terms AS terms
    CROSS JOIN reads
    CROSS JOIN first_uses
    CROSS JOIN first_contacts
)

SELECT
    known.account_id,
    known.day,
    known.mrr,
    known.seats,
    known.renews_on,
    customers.customer_since,
    CASE WHEN known.knows_28d THEN sums.actions_28d END AS actions_28d,
    CASE WHEN known.knows_56d THEN sums.actions_28d_before END AS actions_28d_before,
    CASE WHEN known.knows_28d THEN sums.peak_users_28d END AS peak_users_28d,
    CASE WHEN known.knows_answers THEN sums.answers_90d END AS answers_90d,
    CASE WHEN known.knows_answers THEN ROUND(CAST(sums.score_sum_90d AS DOUBLE) / NULLIF(sums.answers_90d, 0), 6) END
        AS score_90d,
    CASE WHEN known.knows_issues THEN sums.open_bugs END AS open_bugs,
    CASE WHEN known.knows_calls THEN sums.last_contact_on END AS last_contact_on,
    CASE WHEN known.knows_calls THEN known.first_contact END AS contacts_known_since,
    CASE WHEN known.knows_invoices THEN sums.overdue_amount END AS overdue_amount,
    CASE WHEN known.knows_invoices THEN sums.long_overdue_amount END AS long_overdue_amount
FROM known
INNER JOIN customers ON known.account_id = customers.account_id
INNER JOIN sums ON known.account_id = sums.account_id AND known.day = sums.day
