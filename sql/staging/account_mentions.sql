/*---
description: >-
  Every way in which a system names an account, once each, with the name as it can be compared: lower case,
  without accents, punctuation and spaces, whole and without the legal form.
owner: team:customer
grain: [system, kind, key]
optional:
  - gong.calls
  - linear.labels
  - linear.issue_labels
  - slack.channels
  - slack.messages
  - pinecone.documents
  - redis.account_usage
  - redis.daily_usage
  - redis.events
  - snowflake.invoices
  - snowflake.sales_deals
  - snowflake.satisfaction
  - snowflake.subscriptions
columns:
  system: The system that names the account
  kind: What the key is; id (a company id), name, label (of Linear's issues) or channel (in Slack)
  key: The company id, the name, or the label's or channel's id
  name: The account's name there, empty where there is an id only
  rows_named: How many rows of the system carry the key
  full_key: The whole name in comparable form
  core_key: The name without its legal form in comparable form
expectations:
  - {kind: not_null, columns: [system, kind, key, rows_named]}
  - {kind: one_of, column: kind, values: [id, name, label, channel]}
  - {kind: between, column: rows_named, min: 0}
---*/
WITH named_rows AS (
    SELECT 'hubspot' AS system, company_id AS account_id, name, 1 AS rows_named
    FROM hubspot.companies
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'snowflake' AS system, account_id, account_name AS name, COUNT(*) AS rows_named
    FROM snowflake.sales_deals
    WHERE _deleted_at IS NULL
    GROUP BY account_id, account_name
    UNION ALL
    SELECT 'snowflake' AS system, account_id, account_name AS name, COUNT(*) AS rows_named
    FROM snowflake.subscriptions
    WHERE _deleted_at IS NULL
    GROUP BY account_id, account_name
    UNION ALL
    SELECT 'snowflake' AS system, account_id, account_name AS name, COUNT(*) AS rows_named
    FROM snowflake.invoices
    WHERE _deleted_at IS NULL
    GROUP BY account_id, account_name
    UNION ALL
    SELECT 'snowflake' AS system, account_id, account_name AS name, COUNT(*) AS rows_named
    FROM snowflake.satisfaction
    WHERE _deleted_at IS NULL
    GROUP BY account_id, account_name
    UNION ALL
    SELECT 'gong' AS system, company_id AS account_id, company_name AS name, COUNT(*) AS rows_named
    FROM gong.calls
    WHERE _deleted_at IS NULL
    GROUP BY company_id, company_name
    UNION ALL
    SELECT 'pinecone' AS system, account_id, account_name AS name, COUNT(*) AS rows_named
    FROM pinecone.documents
    WHERE _deleted_at IS NULL
    GROUP BY account_id, account_name
    UNION ALL
    SELECT 'redis' AS system, account_id, account_name AS name, 1 AS rows_named
    FROM redis.account_usage
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'redis' AS system, account_id, CAST(NULL AS VARCHAR) AS name, COUNT(*) AS rows_named
    FROM redis.daily_usage
    WHERE _deleted_at IS NULL
    GROUP BY account_id
    UNION ALL
    SELECT 'redis' AS system, account_id, CAST(NULL AS VARCHAR) AS name, COUNT(*) AS rows_named
    FROM redis.events
    WHERE _deleted_at IS NULL
    GROUP BY account_id
),

keyed AS (
    SELECT
        system,
        CASE WHEN NULLIF(TRIM(account_id), '') IS NULL THEN 'name' ELSE 'id' END AS kind,
        COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(name), '')) AS key,
        NULLIF(TRIM(name), '') AS name,
        rows_named
    FROM named_rows
),

issues_by_label AS (
    SELECT label_id, COUNT(*) AS rows_named
    FROM linear.issue_labels
    WHERE _deleted_at IS NULL
    GROUP BY label_id
),

messages_by_channel AS (
    SELECT channel_id, COUNT(*) AS rows_named
    FROM slack.messages
    WHERE _deleted_at IS NULL
    GROUP BY channel_id
),

mentions AS (
    SELECT system, kind, key, MAX(name) AS name, SUM(rows_named) AS rows_named
    FROM keyed
    WHERE key IS NOT NULL
    GROUP BY system, kind, key
    UNION ALL
    SELECT 'linear' AS system, 'label' AS kind, labels.label_id AS key, labels.name, COALESCE(used.rows_named, 0)
    FROM linear.labels AS labels
    LEFT JOIN issues_by_label AS used ON labels.label_id = used.label_id
    WHERE labels._deleted_at IS NULL AND LOWER(TRIM(labels.parent_name)) = 'customer'
    UNION ALL
    -- A channel for one customer is named by its purpose and the customer: ext-acme, cust-acme.
    SELECT
        'slack' AS system,
        'channel' AS kind,
        channels.channel_id AS key,
        SUBSTR(channels.name, POSITION('-' IN channels.name) + 1) AS name,
        COALESCE(used.rows_named, 0)
    FROM slack.channels AS channels
    LEFT JOIN messages_by_channel AS used ON channels.channel_id = used.channel_id
    WHERE channels._deleted_at IS NULL AND SPLIT_PART(LOWER(channels.name), '-', 1) IN ('ext', 'cust')
),

spelled AS (
    SELECT
        *,
        -- What has no counterpart is dropped: full stops, apostrophes, and accents that follow their letter.
        TRANSLATE(
            REPLACE(REPLACE(REPLACE(LOWER(name), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
            'àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőřśšșşťțţùúûüūůűųýÿźżž' || '&+/-_,;:|()[]"!?' || '.''’`´'
            || CHR(768) || CHR(769) || CHR(770) || CHR(771) || CHR(776) || CHR(778) || CHR(780) || CHR(807),
            'aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorsssstttuuuuuuuuyyzzz' || '                '
        ) AS plain
    FROM mentions
),

worded AS (
    SELECT
        *,
        TRIM(REGEXP_REPLACE(REGEXP_REPLACE(' ' || plain || ' ', ' and ', ' '), ' +', ' ')) AS words
    FROM spelled
)

SELECT
    system,
    kind,
    key,
    name,
    rows_named,
    NULLIF(REPLACE(words, ' ', ''), '') AS full_key,
    NULLIF(
        REPLACE(
            REGEXP_REPLACE(
                words,
                '( (ab|ag|as|asa|bv|co|company|corp|corporation|gmbh|inc|incorporated|kg|kgaa|limited|llc|llp|ltd|ltda'
                || '|nv|oy|oyj|plc|pte|pty|sa|sarl|sas|se|spa|srl|ug))+$',
                ''
            ),
            ' ',
            ''
        ),
        ''
    ) AS core_key
FROM worded
