/*---
description: >-
  Closed-won deals by quarter, as the CRM has them beside what the sales department's own list says: where the two
  differ, one of them is wrong, or late.
owner: team:revenue
grain: [quarter_start]
columns:
  quarter_start: First day of the calendar quarter in which the deals were closed
  crm_deals: Deals won, by the CRM
  list_deals: Deals won, by the sales department's list
  crm_amount: Their amount in US dollars, by the CRM
  list_amount: Their amount in US dollars, by the sales department's list
  deals_difference: How many deals more the CRM has than the list; negative where it has fewer
  amount_difference: How many US dollars more the CRM has than the list; negative where it has fewer
  deals_deviation: The difference in deals as a share of the larger number, 0 to 1
  amount_deviation: The difference in US dollars as a share of the larger amount, 0 to 1
expectations:
  - {kind: not_null, column: quarter_start}
  - kind: between
    columns: [deals_deviation, amount_deviation]
    min: 0
    max: 0.02
    severity: warn
    recovery: >-
      Compare the won deals of the quarters in which the two figures differ in marts.bookings and staging.sales_deals;
      correct the deal where it is wrong, and load that system again.
---*/
WITH crm AS (
    SELECT
        CAST(DATE_TRUNC('QUARTER', booked_on) AS DATE) AS quarter_start,
        COUNT(*) AS deals,
        COALESCE(SUM(amount), 0) AS amount
    FROM marts.bookings
    WHERE valid_to IS NULL AND booked_on IS NOT NULL
    GROUP BY 1
),

listed AS (
    SELECT
        CAST(DATE_TRUNC('QUARTER', close_on) AS DATE) AS quarter_start,
        COUNT(*) AS deals,
        SUM(amount) AS amount
    FROM staging.sales_deals
    WHERE is_won AND close_on IS NOT NULL
    GROUP BY 1
),

paired AS (
    SELECT
        COALESCE(crm.quarter_start, listed.quarter_start) AS quarter_start,
        COALESCE(crm.deals, 0) AS crm_deals,
        COALESCE(listed.deals, 0) AS list_deals,
        COALESCE(crm.amount, 0) AS crm_amount,
        COALESCE(listed.amount, 0) AS list_amount
    FROM crm
    FULL OUTER JOIN listed ON crm.quarter_start = listed.quarter_start
)

SELECT
    quarter_start,
    crm_deals,
    list_deals,
    crm_amount,
    list_amount,
    crm_deals - list_deals AS deals_difference,
    crm_amount - list_amount AS amount_difference,
    ABS(crm_deals - list_deals) / CAST(GREATEST(crm_deals, list_deals) AS DOUBLE) AS deals_deviation,
    CASE
        WHEN crm_amount = list_amount THEN 0
        ELSE ABS(crm_amount - list_amount) / CAST(GREATEST(ABS(crm_amount), ABS(list_amount)) AS DOUBLE)
    END AS amount_deviation
FROM paired
