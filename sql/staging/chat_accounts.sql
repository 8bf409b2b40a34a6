/*---
description: >-
  Which accounts a chat conversation is about: the channel's own account, else those that its first message names,
  else those that its replies name. A name that two accounts share, or that is a part of a longer name in the same
  message, counts for none.
owner: team:customer
grain: [conversation_id, account_id]
optional: [staging.account_keys]
columns:
  conversation_id: The conversation
  account_id: HubSpot company id
  found_in: channel, first message or reply
expectations:
  - {kind: not_null, columns: [conversation_id, account_id]}
  - {kind: one_of, column: found_in, values: [channel, first message, reply]}
---*/
WITH names AS (
    SELECT
        account_id,
        -- As people say it: without what follows a comma, and without the legal form.
        ' ' || REGEXP_REPLACE(
            TRIM(REGEXP_REPLACE(
                TRANSLATE(
                    LOWER(SPLIT_PART(account, ',', 1)),
                    'àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőřśšșşťțţùúûüūůűųýÿźżž',
                    'aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorsssstttuuuuuuuuyyzzz'
                ),
                '[^a-z0-9]+', ' '
            )),
            ' (ab|ag|co|corp|gmbh|inc|kg|limited|llc|ltd|sa|se)$', ''
        ) || ' ' AS spoken
    FROM staging.accounts
    QUALIFY COUNT(*) OVER (PARTITION BY spoken) = 1 AND LENGTH(spoken) > 5
),

mentions AS (
    SELECT
        messages.conversation_id,
        messages.ts,
        messages.is_first,
        names.account_id,
        names.spoken
    FROM staging.chat_messages AS messages
    INNER JOIN names ON CONTAINS(messages.words, names.spoken)
),

found AS (
    SELECT
        messages.conversation_id,
        keys.account_id,
        1 AS place
    FROM staging.chat_messages AS messages
    INNER JOIN staging.account_keys AS keys
        ON keys.system = 'slack' AND keys.kind = 'channel' AND messages.channel_id = keys.key
    UNION ALL
    SELECT
        mentions.conversation_id,
        mentions.account_id,
        CASE WHEN mentions.is_first THEN 2 ELSE 3 END AS place
    FROM mentions
    LEFT JOIN mentions AS longer
        ON
            mentions.conversation_id = longer.conversation_id
            AND mentions.ts = longer.ts
            AND mentions.account_id <> longer.account_id
            AND CONTAINS(longer.spoken, mentions.spoken)
    WHERE longer.account_id IS NULL
)

SELECT
    conversation_id,
    account_id,
    CASE MIN(place) WHEN 1 THEN 'channel' WHEN 2 THEN 'first message' ELSE 'reply' END AS found_in
FROM found
GROUP BY conversation_id, account_id
QUALIFY MIN(place) = MIN(MIN(place)) OVER (PARTITION BY conversation_id)
