/*---
description: Invoices with their due and payment days, under the account that the CRM knows them by.
owner: team:finance
grain: [invoice_id]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  invoice_id: Invoice number
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  account: The account's name
  amount: Amount in US dollars
  issued_on: Day of issue
  due_on: Day the payment is due
  paid_on: Day of payment, empty while unpaid
  days_late: Days from the due day to the payment, negative where it came before; empty while unpaid
expectations:
  - {kind: not_null, columns: [invoice_id, amount, issued_on, due_on]}
  - {kind: not_null, column: account_id, severity: warn}
---*/
WITH invoices AS (
    SELECT
        *,
        CASE WHEN NULLIF(TRIM(account_id), '') IS NULL THEN 'name' ELSE 'id' END AS key_kind,
        COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) AS key
    FROM snowflake.invoices
    WHERE _deleted_at IS NULL
)

SELECT
    invoices.invoice_id,
    COALESCE(keys.account_id, invoices.key) AS account_id,
    COALESCE(accounts.account, invoices.account_name, 'Account ' || invoices.account_id) AS account,
    invoices.amount,
    invoices.issued_on,
    invoices.due_on,
    invoices.paid_on,
    DATEDIFF('day', invoices.due_on, invoices.paid_on) AS days_late
FROM invoices
LEFT JOIN staging.account_keys AS keys
    ON keys.system = 'snowflake' AND invoices.key_kind = keys.kind AND invoices.key = keys.key
LEFT JOIN staging.accounts ON keys.account_id = accounts.account_id
