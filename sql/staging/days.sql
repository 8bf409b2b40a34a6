/*---
description: >-
  The days that daily marts have rows for: from the first event of the CRM, the calls or the product's use, at most
  two years back, to the last day that any system has been read through.
owner: team:data-platform
grain: [day]
optional: [hubspot.deals, gong.calls, redis.daily_usage]
columns:
  day: The day (business time zone)
expectations:
  - {kind: not_null, column: day}
---*/
WITH events AS (
    SELECT CAST(CONVERT_TIMEZONE('UTC', :timezone, MIN(created_at)) AS DATE) AS day
    FROM hubspot.deals
    UNION ALL
    SELECT CAST(CONVERT_TIMEZONE('UTC', :timezone, MIN(started_at)) AS DATE) AS day
    FROM gong.calls
    UNION ALL
    SELECT MIN(day) AS day
    FROM redis.daily_usage
),

reads AS (
    -- A read up to midnight knows the day before.
    SELECT CAST(CONVERT_TIMEZONE('UTC', :timezone, DATEADD('second', -1, MAX(loaded_through))) AS DATE) AS last_day
    FROM _sophia.state
),

bounds AS (
    SELECT
        MAX(reads.last_day) AS last_day,
        MIN(events.day) AS first_day
    FROM events
    CROSS JOIN reads
),

digits AS (
    SELECT n
    FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS digits (n)
),

ages AS (
    SELECT hundreds.n * 100 + tens.n * 10 + ones.n AS age
    FROM digits AS hundreds
    CROSS JOIN digits AS tens
    CROSS JOIN digits AS ones
    WHERE hundreds.n * 100 + tens.n * 10 + ones.n <= 730
)

SELECT CAST(DATEADD('day', -ages.age, bounds.last_day) AS DATE) AS day
FROM bounds
CROSS JOIN ages
WHERE DATEDIFF('day', bounds.first_day, bounds.last_day) >= ages.age
