/*---
description: >-
  How each customer does at the end of each day: a score from 0 (bad) to 100 (good), the weighted mean of the parts
  that are known of use_trend (weight 25), satisfaction (20), seat_use (15), payment (15), bugs (10), contact (10)
  and renewal (5). A part of which nothing is known is empty, which is not bad; where the known parts weigh less
  than 50 of 100 there is no score.
owner: team:customer
grain: [account_id, day]
named_by: [staging.accounts, staging.owners]
columns:
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  account: The account's name
  owner_id: HubSpot owner who looks after the account now
  owner: That owner's name, Unassigned where there is none
  day: The day (business time zone)
  day_after: The day after; a row holds from `day` until then
  score: 0 to 100, empty where too little is known
  band: healthy (80 and more), watch (65 and more), at risk, or unknown
  known_weight: What the known parts weigh together, of 100
  weakest_part: The known part that costs the score most, empty where none costs anything
  use_trend: >-
    0 to 100; actions in 28 days against the 28 days before, 0 at half of them or less, 100 at 110 % or more; empty
    for customers of less than 56 days
  satisfaction: 0 to 100; mean score of the survey over 90 days, 1 gives 0, 5 gives 100; empty without an answer
  seat_use: >-
    0 to 100; most users on a day of the last 28 against the seats sold, 100 at 70 % or more; empty for customers of
    less than 28 days
  payment: >-
    0 to 100; 50 are lost as the overdue amount grows to a month's revenue, 50 more as what is overdue for over 30
    days does
  bugs: 0 to 100; each open bug costs 20
  contact: 0 to 100; 100 up to 30 days after the last contact, 0 from 120 days
  renewal: 0 to 100; 100 at 180 days or more before the renewal, 0 on its day and after
  mrr: Monthly recurring revenue in US dollars
  renews_on: Next renewal of a running term
  use_change: Actions in 28 days against the 28 days before, 0.1 is 10 % more; empty where those had none
  seat_share: Most users on a day of the last 28 per seat sold
  satisfaction_score: Mean score of the survey over 90 days, 1 to 5
  open_bugs: Bugs reported for the account that were not done
  overdue_amount: Unpaid invoices past their due day in US dollars
  last_contact_on: Day on which people of the company last spoke with the account
expectations:
  - {kind: not_null, columns: [account_id, account, day, day_after, band, known_weight, mrr]}
  - kind: between
    columns: [score, known_weight, use_trend, satisfaction, seat_use, payment, bugs, contact, renewal]
    min: 0
    max: 100
  - {kind: one_of, column: band, values: [healthy, watch, at risk, unknown]}
  - {kind: not_null, column: score, mostly: 0.5, severity: warn}
---*/
WITH measures AS (
    SELECT
        *,
        DATEDIFF('day', customer_since, day) AS customer_days,
        CAST(actions_28d AS DOUBLE) / NULLIF(actions_28d_before, 0) - 1 AS use_change,
        CAST(peak_users_28d AS DOUBLE) / NULLIF(seats, 0) AS seat_share,
        CAST(overdue_amount AS DOUBLE) / NULLIF(mrr, 0) AS overdue_months,
        CAST(long_overdue_amount AS DOUBLE) / NULLIF(mrr, 0) AS long_overdue_months,
        DATEDIFF('day', last_contact_on, day) AS contact_age,
        DATEDIFF('day', day, renews_on) AS days_to_renewal
    FROM staging.customer_days
),

raw_points AS (
    SELECT
        *,
        CASE
            WHEN customer_days < 55 OR actions_28d_before IS NULL THEN NULL
            WHEN actions_28d_before > 0 THEN (use_change + 0.5) / 0.6 * 100
            WHEN actions_28d > 0 THEN 100
            ELSE 0
        END AS use_trend_points,
        (score_90d - 1) / 4 * 100 AS satisfaction_points,
        CASE WHEN customer_days >= 27 THEN seat_share / 0.7 * 100 END AS seat_use_points,
        CASE
            WHEN overdue_amount IS NULL THEN NULL
            WHEN overdue_amount = 0 THEN 100
            WHEN mrr = 0 THEN 0
            ELSE
                100
                - 50 * CASE WHEN overdue_months > 1 THEN 1 ELSE overdue_months END
                - 50 * CASE WHEN long_overdue_months > 1 THEN 1 ELSE long_overdue_months END
        END AS payment_points,
        100 - 20 * open_bugs AS bugs_points,
        CASE
            WHEN last_contact_on IS NOT NULL THEN (120 - contact_age) / 90.0 * 100
            -- Never, of which one can only speak where calls are known for long enough.
            WHEN DATEDIFF('day', contacts_known_since, day) >= 120 AND customer_days >= 120 THEN 0
        END AS contact_points,
        days_to_renewal / 180.0 * 100 AS renewal_points
    FROM measures
),

parts AS (
    SELECT
        *,
        ROUND(
            CASE WHEN use_trend_points > 100 THEN 100 WHEN use_trend_points < 0 THEN 0 ELSE use_trend_points END,
            2
        ) AS use_trend,
        ROUND(
            CASE
                WHEN satisfaction_points > 100 THEN 100
                WHEN satisfaction_points < 0 THEN 0
                ELSE satisfaction_points
            END,
            2
        ) AS satisfaction,
        ROUND(
            CASE WHEN seat_use_points > 100 THEN 100 WHEN seat_use_points < 0 THEN 0 ELSE seat_use_points END,
            2
        ) AS seat_use,
        ROUND(
            CASE WHEN payment_points > 100 THEN 100 WHEN payment_points < 0 THEN 0 ELSE payment_points END,
            2
        ) AS payment,
        ROUND(
            CASE WHEN bugs_points > 100 THEN 100 WHEN bugs_points < 0 THEN 0 ELSE bugs_points END,
            2
        ) AS bugs,
        ROUND(
            CASE WHEN contact_points > 100 THEN 100 WHEN contact_points < 0 THEN 0 ELSE contact_points END,
            2
        ) AS contact,
        ROUND(
            CASE WHEN renewal_points > 100 THEN 100 WHEN renewal_points < 0 THEN 0 ELSE renewal_points END,
            2
        ) AS renewal
    FROM raw_points
),

weighed AS (
    SELECT
        *,
        CASE WHEN use_trend IS NULL THEN 0 ELSE 25 END
        + CASE WHEN satisfaction IS NULL THEN 0 ELSE 20 END
        + CASE WHEN seat_use IS NULL THEN 0 ELSE 15 END
        + CASE WHEN payment IS NULL THEN 0 ELSE 15 END
        + CASE WHEN bugs IS NULL THEN 0 ELSE 10 END
        + CASE WHEN contact IS NULL THEN 0 ELSE 10 END
        + CASE WHEN renewal IS NULL THEN 0 ELSE 5 END AS known_weight,
        25 * COALESCE(use_trend, 0)
        + 20 * COALESCE(satisfaction, 0)
        + 15 * COALESCE(seat_use, 0)
        + 15 * COALESCE(payment, 0)
        + 10 * COALESCE(bugs, 0)
        + 10 * COALESCE(contact, 0)
        + 5 * COALESCE(renewal, 0) AS weighted_points
    FROM parts
),

losses AS (
    SELECT
        *,
        GREATEST(
            25 * (100 - COALESCE(use_trend, 100)),
            20 * (100 - COALESCE(satisfaction, 100)),
            15 * (100 - COALESCE(seat_use, 100)),
            15 * (100 - COALESCE(payment, 100)),
            10 * (100 - COALESCE(bugs, 100)),
            10 * (100 - COALESCE(contact, 100)),
            5 * (100 - COALESCE(renewal, 100))
        ) AS worst_loss,
        CASE WHEN known_weight >= 50 THEN ROUND(weighted_points / known_weight, 1) END AS score
    FROM weighed
)

SELECT
    losses.account_id,
    COALESCE(accounts.account, names.account) AS account,
    accounts.owner_id,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    losses.day,
    CAST(DATEADD('day', 1, losses.day) AS DATE) AS day_after,
    losses.score,
    CASE
        WHEN losses.score >= 80 THEN 'healthy'
        WHEN losses.score >= 65 THEN 'watch'
        WHEN losses.score IS NOT NULL THEN 'at risk'
        ELSE 'unknown'
    END AS band,
    losses.known_weight,
    CASE losses.worst_loss
        WHEN 0 THEN NULL
        WHEN 25 * (100 - losses.use_trend) THEN 'use trend'
        WHEN 20 * (100 - losses.satisfaction) THEN 'satisfaction'
        WHEN 15 * (100 - losses.seat_use) THEN 'seat use'
        WHEN 15 * (100 - losses.payment) THEN 'payment'
        WHEN 10 * (100 - losses.bugs) THEN 'bugs'
        WHEN 10 * (100 - losses.contact) THEN 'contact'
        WHEN 5 * (100 - losses.renewal) THEN 'renewal'
    END AS weakest_part,
    losses.use_trend,
    losses.satisfaction,
    losses.seat_use,
    losses.payment,
    losses.bugs,
    losses.contact,
    losses.renewal,
    losses.mrr,
    losses.renews_on,
    ROUND(losses.use_change, 6) AS use_change,
    ROUND(losses.seat_share, 6) AS seat_share,
    losses.score_90d AS satisfaction_score,
    losses.open_bugs,
    losses.overdue_amount,
    losses.last_contact_on
FROM losses
LEFT JOIN (
    SELECT account_id, MIN(account) AS account
    FROM staging.subscription_terms
    GROUP BY account_id
) AS names ON losses.account_id = names.account_id
LEFT JOIN staging.accounts ON losses.account_id = accounts.account_id
LEFT JOIN staging.owners ON accounts.owner_id = owners.owner_id
