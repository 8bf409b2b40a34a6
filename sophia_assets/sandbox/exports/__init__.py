"""A folder of exports, served through the same stand-ins as the simulated company.

Belongs here: reading files and turning them into `CompanyData`. Does not belong here: HTTP, or any
repair of the data: what is wrong in an export stays wrong, or becomes empty and is counted.

The folder
----------
One sub-folder per system, one file per object, as CSV with a header line (`.csv`) or as JSON lines
(`.jsonl`). A system without files is off. Columns marked * are required, all others optional; a
column that is not listed is kept, in HubSpot as a property of the record.

- `hubspot/companies`: company_id*, name, domain, industry, country, annual_revenue, employees, owner_id,
  created_at, updated_at
- `hubspot/contacts`: contact_id*, email, first_name, last_name, job_title, lifecycle_stage, owner_id,
  company_id, created_at, updated_at
- `hubspot/deals`: deal_id*, name, stage* (id or label), amount, close_date, company_id, owner_id, deal_type,
  probability, lost_reason, created_at, updated_at
- `hubspot/deal_history`: deal_id*, property* (dealstage, amount or closedate), changed_at*, value*,
  source_type
- `hubspot/deal_companies`: deal_id*, company_id*
- `hubspot/owners`: owner_id*, first_name, last_name, email, team, archived, created_at, updated_at
- `hubspot/pipeline_stages`: stage_id*, stage_label*, display_order, probability, is_closed, pipeline_id,
  pipeline_label
- `gong/users`: user_id*, email, first_name, last_name, title, manager_id, active, created_at
- `gong/calls`: call_id*, started_at*, title, duration_s, direction, primary_user_id, company_id,
  company_name, deal_id
- `gong/call_trackers`: call_id*, tracker*, hits
- `gong/transcripts`: call_id*, position*, speaker_id, topic, start_ms, end_ms, text
- `snowflake/SALES.DEALS`: DEAL_ID*, DEAL_NAME, AMOUNT, STAGE, PROBABILITY, CLOSE_DATE, LAST_ACTIVITY_DATE,
  ACCOUNT_ID, ACCOUNT_NAME, UPDATED_AT
- `snowflake/FINANCE.SUBSCRIPTIONS`: TERM_ID*, SUBSCRIPTION_ID, ACCOUNT_ID, ACCOUNT_NAME, PLAN, SEATS, MRR,
  CHANGE_TYPE, VALID_FROM, VALID_TO, RENEWAL_DATE, UPDATED_AT
- `snowflake/FINANCE.INVOICES`: INVOICE_ID*, ACCOUNT_ID, ACCOUNT_NAME, SUBSCRIPTION_ID, AMOUNT, CURRENCY,
  ISSUED_ON, DUE_ON, PAID_ON, STATUS, UPDATED_AT
- `snowflake/SUPPORT.SATISFACTION`: RESPONSE_ID*, ACCOUNT_ID, ACCOUNT_NAME, SCORE, COMMENT, RESPONDED_AT,
  UPDATED_AT

Dates are `2017-12-31`; moments are ISO 8601 with or without an offset. A date alone, or a moment
without an offset, is local time of the business time zone, a date alone its midnight. Without
`hubspot/pipeline_stages` the stages are those that occur in the deals: `Won` and `Lost` (also
`Closed won`, `Closed lost`) are closed, all others open. Without `hubspot/deal_history` a deal's
history is made from the day it was created and, where it is closed, the day it was closed.
HubSpot's ids are digits: any other id is given a number that stays the same, also where another
system refers to it, and the original is kept in the property `original_id`.

A cell that cannot be read becomes empty and is counted in `CompanyData.warnings`; a date that
cannot be read stops the loading, since everything hangs on dates.

Exports of other products
-------------------------
A layout says in YAML how files and columns of some other export become the objects above. The
shipped ones in `layouts/` are recognised by their files' names and headers; a `layout.yaml` in the
folder, or one given by path, goes first. `layouts/crm_opportunities.yaml` is a commented example.
"""

from sophia_assets.sandbox.exports.load import load_exports

__all__ = ["load_exports"]
