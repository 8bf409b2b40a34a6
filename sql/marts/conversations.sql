/*---
description: >-
  What customers say and what is said about them: one row per recorded call, and one per chat thread, or message
  by itself, in which a person takes part and that is about a customer.
owner: team:customer
grain: [conversation_id]
named_by: [staging.accounts, staging.owners, slack.channels]
optional: [staging.account_keys, staging.owner_keys, gong.call_parties, gong.call_interaction]
columns:
  conversation_id: Gong call id, or Slack channel and the id of the thread's first message
  kind: call or chat
  channel: The chat channel's name, empty for calls
  account_id: HubSpot company id, empty where it is unknown or several are named
  account: The account's name
  accounts: How many accounts it is about, as far as is known
  deal_id: HubSpot deal id, where Gong linked the call to one
  owner_id: HubSpot owner id of who held the call or began the thread, empty for others
  owner: That owner's name
  started_on: Day it began (business time zone)
  started_at: When it began (UTC)
  last_on: Day of its latest message, for a call the day it began (business time zone)
  participants: People who took part, for a call who spoke or was invited
  customer_participants: Participants of the customer, empty for chat
  messages: Messages that people wrote, empty for calls
  minutes: Length in minutes, empty for chat
  customer_questions: Questions that the customer asked, empty where it was not measured
  company_questions: Questions that the company's people asked, empty where it was not measured
  talk_ratio: The host's part of the talking, 0 to 1, empty where it was not measured
  concerns: How many signs of a worried or unhappy customer there are, on any topic
expectations:
  - {kind: not_null, columns: [conversation_id, started_at, concerns]}
  - {kind: one_of, column: kind, values: [call, chat]}
  - {kind: between, columns: [participants, messages, minutes, concerns], min: 0}
  - {kind: between, column: talk_ratio, min: 0, max: 1, severity: warn}
---*/
WITH concerns AS (
    SELECT
        conversation_id,
        CAST(SUM(hits) AS BIGINT) AS concerns
    FROM staging.conversation_topics
    WHERE is_concern
    GROUP BY conversation_id
),

parties AS (
    SELECT
        call_id,
        COUNT(*) AS participants,
        COUNT_IF(affiliation = 'External') AS customer_participants
    FROM gong.call_parties
    WHERE _deleted_at IS NULL
    GROUP BY call_id
),

calls AS (
    SELECT
        calls.call_id AS conversation_id,
        'call' AS kind,
        CAST(NULL AS VARCHAR) AS channel_id,
        COALESCE(accounts.account_id, calls.company_id) AS account_id,
        calls.company_name AS account_name,
        CASE WHEN COALESCE(accounts.account_id, calls.company_id) IS NULL THEN 0 ELSE 1 END AS accounts,
        calls.deal_id,
        keys.owner_id,
        calls.started_at,
        calls.started_at AS last_at,
        COALESCE(parties.participants, 0) AS participants,
        COALESCE(parties.customer_participants, 0) AS customer_participants,
        CAST(NULL AS BIGINT) AS messages,
        calls.duration_s / 60.0 AS minutes,
        interaction.customer_questions,
        interaction.company_questions,
        interaction.talk_ratio
    FROM gong.calls AS calls
    LEFT JOIN parties ON calls.call_id = parties.call_id
    LEFT JOIN gong.call_interaction AS interaction
        ON calls.call_id = interaction.call_id AND interaction._deleted_at IS NULL
    LEFT JOIN staging.owner_keys AS keys ON keys.system = 'gong' AND calls.primary_user_id = keys.key
    -- By the company that Gong linked the call to, else by that company's name, else by the guests.
    LEFT JOIN staging.account_keys AS accounts
        ON
            accounts.system = 'gong'
            AND accounts.kind = CASE
                WHEN NULLIF(TRIM(calls.company_id), '') IS NOT NULL THEN 'id'
                WHEN NULLIF(TRIM(calls.company_name), '') IS NOT NULL THEN 'name'
                ELSE 'call'
            END
            AND accounts.key
            = COALESCE(NULLIF(TRIM(calls.company_id), ''), NULLIF(TRIM(calls.company_name), ''), calls.call_id)
    WHERE calls._deleted_at IS NULL
),

about AS (
    SELECT
        conversation_id,
        MIN(account_id) AS account_id,
        COUNT(*) AS accounts
    FROM staging.chat_accounts
    GROUP BY conversation_id
),

threads AS (
    SELECT
        messages.conversation_id,
        messages.channel_id,
        -- Whoever wrote first, where the first message is known.
        MAX(CASE WHEN messages.is_first THEN messages.user_id END) AS user_id,
        MIN(messages.posted_at) AS started_at,
        MAX(messages.posted_at) AS last_at,
        COUNT(DISTINCT CASE WHEN messages.is_human THEN messages.user_id END) AS participants,
        COUNT_IF(messages.is_human) AS messages
    FROM staging.chat_messages AS messages
    GROUP BY messages.conversation_id, messages.channel_id
),

chats AS (
    SELECT
        threads.conversation_id,
        'chat' AS kind,
        threads.channel_id,
        CASE WHEN about.accounts = 1 THEN about.account_id END AS account_id,
        CAST(NULL AS VARCHAR) AS account_name,
        about.accounts,
        CAST(NULL AS VARCHAR) AS deal_id,
        keys.owner_id,
        threads.started_at,
        threads.last_at,
        threads.participants,
        CAST(NULL AS BIGINT) AS customer_participants,
        threads.messages,
        CAST(NULL AS DOUBLE) AS minutes,
        CAST(NULL AS BIGINT) AS customer_questions,
        CAST(NULL AS BIGINT) AS company_questions,
        CAST(NULL AS DOUBLE) AS talk_ratio
    FROM threads
    INNER JOIN about ON threads.conversation_id = about.conversation_id
    LEFT JOIN staging.owner_keys AS keys ON keys.system = 'slack' AND threads.user_id = keys.key
    WHERE threads.messages > 0
),

conversations AS (
    SELECT * FROM calls
    UNION ALL
    SELECT * FROM chats
)

SELECT
    conversations.conversation_id,
    conversations.kind,
    channels.name AS channel,
    conversations.account_id,
    COALESCE(accounts.account, conversations.account_name) AS account,
    conversations.accounts,
    conversations.deal_id,
    conversations.owner_id,
    owners.owner,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, conversations.started_at) AS DATE) AS started_on,
    conversations.started_at,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, conversations.last_at) AS DATE) AS last_on,
    conversations.participants,
    conversations.customer_participants,
    conversations.messages,
    conversations.minutes,
    conversations.customer_questions,
    conversations.company_questions,
    conversations.talk_ratio,
    COALESCE(concerns.concerns, 0) AS concerns
FROM conversations
LEFT JOIN concerns ON conversations.conversation_id = concerns.conversation_id
LEFT JOIN slack.channels AS channels ON conversations.channel_id = channels.channel_id
LEFT JOIN staging.accounts ON conversations.account_id = accounts.account_id
LEFT JOIN staging.owners ON conversations.owner_id = owners.owner_id
