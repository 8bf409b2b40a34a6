/*---
description: >-
  Chat messages and replies with the conversation that each belongs to: a thread, or a message by itself. Without
  what was deleted and what Slack writes of itself, such as who joined.
owner: team:customer
grain: [channel_id, ts]
columns:
  channel_id: Slack channel id
  ts: Slack's id of the message within its channel
  conversation_id: The channel and the id of the thread's first message
  is_first: Whether it began the conversation
  user_id: Who wrote it, empty for some apps
  is_human: Whether a person wrote it
  posted_at: When it was posted (UTC)
  words: The text in small letters and figures, without accents, punctuation and links, a blank at each end
expectations:
  - {kind: not_null, columns: [channel_id, ts, conversation_id, is_first, is_human, posted_at]}
---*/
SELECT
    messages.channel_id,
    messages.ts,
    messages.channel_id || '/' || COALESCE(messages.thread_ts, messages.ts) AS conversation_id,
    COALESCE(messages.thread_ts, messages.ts) = messages.ts AS is_first,
    messages.user_id,
    messages.bot_id IS NULL AND NOT COALESCE(users.is_bot, FALSE) AND messages.user_id IS NOT NULL AS is_human,
    messages.posted_at,
    ' ' || TRIM(REGEXP_REPLACE(
        TRANSLATE(
            LOWER(REPLACE(REGEXP_REPLACE(messages.text, '<[^>]*>', ' '), '&amp;', '&')),
            'àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőřśšșşťțţùúûüūůűųýÿźżž',
            'aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorsssstttuuuuuuuuyyzzz'
        ),
        '[^a-z0-9]+', ' '
    )) || ' ' AS words
FROM slack.messages AS messages
LEFT JOIN slack.users AS users ON messages.user_id = users.user_id
WHERE
    messages._deleted_at IS NULL
    AND (messages.subtype IS NULL OR messages.subtype IN ('bot_message', 'file_share', 'me_message', 'thread_broadcast'))
