/*---
description: Invoices with their due and payment days, under the account's CRM name.
owner: team:finance
grain: [invoice_id]
named_by: [staging.accounts]
columns:
  invoice_id: Invoice number
  account_id: HubSpot company id
  account: The account's name
  amount: Amount in US dollars
  issued_on: Day of issue
  due_on: Day the payment is due
  paid_on: Day of payment, empty while unpaid
---*/
SELECT
    invoices.invoice_id,
    invoices.account_id,
    COALESCE(accounts.account, invoices.account_name, 'Account ' || invoices.account_id) AS account,
    invoices.amount,
    invoices.issued_on,
    invoices.due_on,
    invoices.paid_on
FROM snowflake.invoices AS invoices
LEFT JOIN staging.accounts ON invoices.account_id = accounts.account_id
WHERE invoices._deleted_at IS NULL
