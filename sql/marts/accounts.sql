/*---
description: >-
  Every account of the CRM, one row each, with everything that is asked first of it now: whether it is a customer, who
  looks after it, revenue, renewal, pipeline, use of the product, health, and when anybody last spoke with it.
owner: team:customer
grain: [account_id]
named_by: [staging.owners]
optional: [marts.recurring_revenue, staging.days, marts.deals, marts.bookings, marts.satisfaction,
  staging.account_contacts, marts.account_usage, marts.customer_health, marts.invoices]
columns:
  account_id: HubSpot company id
  account: The account's name
  industry: Industry
  country: Country of the headquarters
  owner_id: HubSpot owner id
  owner: Who looks after it, Unassigned where nobody does
  status: customer, former customer or prospect
  customer_since: First day with recurring revenue, empty for prospects
  mrr: Monthly recurring revenue in US dollars, 0 where it is not a customer
  plan: Plan of its largest running term
  seats: Seats sold in its running terms
  renews_on: Next renewal of a running term
  open_deals: Number of open deals
  open_pipeline: Open deals in US dollars
  booked: Deals ever won in US dollars
  satisfaction: Mean score over the latest 60 days with an answer, 1 to 5
  last_answer_on: Day of its latest answer to the survey
  last_call_on: Day of the latest recorded call
  last_contact_on: Day of the latest recorded call, meeting or answered telephone call
  active_seats: People who use the product, empty where the product does not know the account
  last_seen_on: Day on which somebody of the account last used the product
  health: Health score of its newest day, 0 to 100; empty where it is no customer or too little is known
  health_band: healthy, watch, at risk or unknown; empty where it is no customer
  weakest_part: The part that costs its health most
  open_bugs: Bugs reported for it that are not done; empty where it is no customer or nothing is known
  overdue_amount: Unpaid invoices past their due day in US dollars, as of its newest day of health
expectations:
  - {kind: not_null, columns: [account_id, account, owner, status, mrr, open_deals, open_pipeline]}
  - {kind: one_of, column: status, values: [customer, former customer, prospect]}
  - {kind: between, columns: [mrr, open_deals, open_pipeline], min: 0}
  - {kind: between, column: satisfaction, min: 1, max: 5}
  - {kind: between, column: health, min: 0, max: 100}
---*/
WITH today AS (
    SELECT MAX(day) AS day
    FROM staging.days
),

revenue AS (
    SELECT
        terms.account_id,
        SUM(terms.mrr) AS mrr,
        SUM(terms.seats) AS seats,
        MIN(terms.renewal_date) AS renews_on,
        MAX_BY(terms.plan, terms.mrr) AS plan
    FROM marts.recurring_revenue AS terms
    CROSS JOIN today
    WHERE terms.valid_from <= today.day AND (terms.valid_to IS NULL OR terms.valid_to > today.day)
    GROUP BY terms.account_id
),

first_terms AS (
    SELECT
        terms.account_id,
        MIN(terms.valid_from) AS customer_since
    FROM marts.recurring_revenue AS terms
    CROSS JOIN today
    WHERE terms.valid_from <= today.day
    GROUP BY terms.account_id
),

pipeline AS (
    SELECT
        account_id,
        COUNT(*) AS open_deals,
        SUM(amount) AS open_pipeline
    FROM marts.deals
    WHERE is_open
    GROUP BY account_id
),

booked AS (
    SELECT account_id, SUM(amount) AS booked
    FROM marts.bookings
    WHERE valid_to IS NULL
    GROUP BY account_id
),

scores AS (
    SELECT
        account_id,
        AVG(score) AS satisfaction,
        MAX(responded_on) AS last_answer_on
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

contacts AS (
    SELECT
        account_id,
        MAX(CASE WHEN kind = 'recorded call' THEN day END) AS last_call_on,
        MAX(day) AS last_contact_on
    FROM staging.account_contacts
    GROUP BY account_id
),

usage AS (
    SELECT account_id, active_seats, last_seen_on
    FROM marts.account_usage
    WHERE valid_to IS NULL
),

health AS (
    SELECT
        health.account_id,
        health.score,
        health.band,
        health.weakest_part,
        health.open_bugs,
        health.overdue_amount
    FROM marts.customer_health AS health
    INNER JOIN today ON health.day = today.day
)

SELECT
    accounts.account_id,
    accounts.account,
    accounts.industry,
    accounts.country,
    accounts.owner_id,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    CASE
        WHEN revenue.account_id IS NOT NULL THEN 'customer'
        WHEN first_terms.account_id IS NOT NULL THEN 'former customer'
        ELSE 'prospect'
    END AS status,
    first_terms.customer_since,
    COALESCE(revenue.mrr, 0) AS mrr,
    revenue.plan,
    revenue.seats,
    revenue.renews_on,
    COALESCE(pipeline.open_deals, 0) AS open_deals,
    COALESCE(pipeline.open_pipeline, 0) AS open_pipeline,
    COALESCE(booked.booked, 0) AS booked,
    scores.satisfaction,
    scores.last_answer_on,
    contacts.last_call_on,
    contacts.last_contact_on,
    usage.active_seats,
    usage.last_seen_on,
    health.score AS health,
    health.band AS health_band,
    health.weakest_part,
    health.open_bugs,
    health.overdue_amount
FROM staging.accounts
LEFT JOIN staging.owners ON accounts.owner_id = owners.owner_id
LEFT JOIN revenue ON accounts.account_id = revenue.account_id
LEFT JOIN first_terms ON accounts.account_id = first_terms.account_id
LEFT JOIN pipeline ON accounts.account_id = pipeline.account_id
LEFT JOIN booked ON accounts.account_id = booked.account_id
LEFT JOIN scores ON accounts.account_id = scores.account_id
LEFT JOIN contacts ON accounts.account_id = contacts.account_id
LEFT JOIN usage ON accounts.account_id = usage.account_id
LEFT JOIN health ON accounts.account_id = health.account_id
