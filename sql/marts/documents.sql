/*---
description: The documents of the knowledge base, put together from the passages that its index can find.
owner: team:knowledge
grain: [document_id]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  document_id: Namespace and address of the document, or its passage's id where it has no address
  title: The document's title
  namespace: The part of the index that it is in
  source: Where it comes from, such as a wiki or a help desk
  kind: What sort of document it is, Unknown where the index does not say
  account_id: HubSpot company id, empty where it is about no account
  account: The account's name
  chunks: How many passages it was divided into
  created_on: Day it was written (business time zone)
  updated_on: Day any passage of it last changed (business time zone)
  age_days: Days from its last change to the day up to which the index was read
expectations:
  - {kind: not_null, columns: [document_id, kind]}
  - {kind: between, column: chunks, min: 1}
---*/
WITH documents AS (
    SELECT
        namespace || ' ' || COALESCE(url, document_id) AS document_id,
        MIN(title) AS title,
        namespace,
        MIN(source) AS source,
        MIN(kind) AS kind,
        MIN(account_id) AS account_id,
        MIN(account_name) AS account_name,
        COUNT(*) AS chunks,
        MIN(created_at) AS created_at,
        MAX(COALESCE(updated_at, created_at)) AS updated_at
    FROM pinecone.documents
    WHERE _deleted_at IS NULL
    GROUP BY namespace, namespace || ' ' || COALESCE(url, document_id)
)

SELECT
    documents.document_id,
    documents.title,
    documents.namespace,
    documents.source,
    COALESCE(documents.kind, 'Unknown') AS kind,
    COALESCE(keys.account_id, documents.account_id) AS account_id,
    COALESCE(accounts.account, documents.account_name) AS account,
    documents.chunks,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, documents.created_at) AS DATE) AS created_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, documents.updated_at) AS DATE) AS updated_on,
    DATEDIFF('second', documents.updated_at, state.loaded_through) / 86400.0 AS age_days
FROM documents
LEFT JOIN _sophia.state AS state ON state.table_name = 'pinecone.documents'
LEFT JOIN staging.account_keys AS keys
    ON
        keys.system = 'pinecone'
        AND keys.kind = CASE WHEN NULLIF(TRIM(documents.account_id), '') IS NULL THEN 'name' ELSE 'id' END
        AND keys.key = COALESCE(NULLIF(TRIM(documents.account_id), ''), NULLIF(TRIM(documents.account_name), ''))
LEFT JOIN staging.accounts ON COALESCE(keys.account_id, documents.account_id) = accounts.account_id
