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
- `hubspot/tickets`: ticket_id*, stage* (label), subject, priority, category, channel, owner_id, company_id,
  contact_id, deal_id, created_at, closed_at, updated_at
- `hubspot/line_items`: line_item_id*, name, product_id, sku, quantity, price, amount, billing_frequency,
  deal_id, created_at, updated_at
- `hubspot/meetings`: meeting_id*, title, outcome, starts_at, ends_at, owner_id, company_id, contact_id,
  deal_id, created_at, updated_at
- `hubspot/crm_calls`: call_id*, title, direction, status, duration_ms, called_at, owner_id, company_id,
  contact_id, deal_id, created_at, updated_at
- `hubspot/associations`: from_type*, from_id*, to_type*, to_id*, the types being companies, contacts, deals,
  tickets, line_items, meetings or calls
- `hubspot/owners`: owner_id*, first_name, last_name, email, team, archived, created_at, updated_at
- `hubspot/pipeline_stages`: stage_id*, stage_label*, display_order, probability, is_closed, pipeline_id,
  pipeline_label
- `gong/users`: user_id*, email, first_name, last_name, title, manager_id, active, created_at
- `gong/calls`: call_id*, started_at*, title, duration_s, direction, primary_user_id, company_id,
  company_name, deal_id
- `gong/call_trackers`: call_id*, tracker*, hits
- `gong/transcripts`: call_id*, position*, speaker_id, topic, start_ms, end_ms, text
- `gong/call_parties`: call_id*, party_id, user_id, email, name, title, affiliation (Internal, External or Unknown),
  speaker_id; without it a call's host is its only participant
- `gong/scorecards`: scorecard_id*, question_id*, name, question, is_overall, created_at; one row per question
- `gong/scorecard_answers`: review_id*, scorecard_id*, call_id*, question_id*, reviewed_at*, reviewer_id, score,
  answer_text
- `snowflake/SALES.DEALS`: DEAL_ID*, DEAL_NAME, AMOUNT, STAGE, PROBABILITY, CLOSE_DATE, LAST_ACTIVITY_DATE,
  ACCOUNT_ID, ACCOUNT_NAME, UPDATED_AT
- `snowflake/FINANCE.SUBSCRIPTIONS`: TERM_ID*, SUBSCRIPTION_ID, ACCOUNT_ID, ACCOUNT_NAME, PLAN, SEATS, MRR,
  CHANGE_TYPE, VALID_FROM, VALID_TO, RENEWAL_DATE, UPDATED_AT
- `snowflake/FINANCE.INVOICES`: INVOICE_ID*, ACCOUNT_ID, ACCOUNT_NAME, SUBSCRIPTION_ID, AMOUNT, CURRENCY,
  ISSUED_ON, DUE_ON, PAID_ON, STATUS, UPDATED_AT
- `snowflake/SUPPORT.SATISFACTION`: RESPONSE_ID*, ACCOUNT_ID, ACCOUNT_NAME, SCORE, COMMENT, RESPONDED_AT,
  UPDATED_AT
- `slack/channels`: channel_id*, name, topic, purpose, is_private, is_archived, is_member, is_shared, member_ids
  (separated by spaces), creator_id, created_at, updated_at
- `slack/users`: user_id*, name, real_name, display_name, email, title, is_bot, is_deleted, timezone, updated_at
- `slack/messages`: channel_id*, ts* (Slack's id, such as 1767225600.000100), thread_ts, user_id, bot_id, subtype,
  text, edited_at, reactions (`{"tada": ["U1"]}`)
- `linear/teams`: team_id*, key, name, description
- `linear/states`: state_id*, team_id*, name, type (triage, backlog, unstarted, started, completed, canceled or
  duplicate), position
- `linear/users`: user_id*, name, display_name, email, active, admin
- `linear/labels`: label_id*, name*, parent_id, team_id
- `linear/projects`: project_id*, name, description, status, state_type, lead_id, start_date, target_date, progress
  (0 to 1), started_at, completed_at, canceled_at
- `linear/cycles`: cycle_id*, team_id*, number, name, starts_at, ends_at, completed_at, progress
- `linear/issues`: issue_id*, team_id*, state_id*, created_at*, identifier (`ENG-12`), title, description, priority
  (0 none, 1 urgent to 4 low), estimate, assignee_id, creator_id, project_id, cycle_id, parent_id, label_ids
  (separated by spaces), due_date, started_at, completed_at, canceled_at, trashed
- `linear/issue_history`: issue_id*, to_state_id*, changed_at*, history_id, from_state_id, actor_id
  (all but the last may have created_at, updated_at and archived_at; teams and states that issues name without a file
  are made; without `linear/issue_history` the moves are made from the issues' dates)
- `pinecone/records`: id*, namespace, values (a JSON list of numbers, one length for all; without it they are made
  from the text or the title), metadata (a JSON object); every other column is metadata: text, title, source, kind,
  account_id, account_name, author, url, chunk, created_at, updated_at
- `redis/account_usage`: account_id*, account_name, plan, seats, active_seats, last_seen_at, features (JSON)
- `redis/daily_usage`: day*, account_id*, counter* (active_users, sessions, actions), value*
- `redis/totals`: counter*, value*
- `redis/events`: event*, occurred_at*, account_id, user_id, feature, properties (JSON); every other column is a field

Dates are `2017-12-31`; moments are ISO 8601 with or without an offset. A date alone, or a moment
without an offset, is local time of the business time zone, a date alone its midnight. Without
`hubspot/pipeline_stages` the stages are those that occur in the deals: `Won` and `Lost` (also
`Closed won`, `Closed lost`) are closed, all others open. Without `hubspot/deal_history` a deal's
history is made from the day it was created and, where it is closed, the day it was closed.
HubSpot's ids are digits: any other id is given a number that stays the same, also where another
system refers to it, and the original is kept in the property `original_id`.

A cell that cannot be read becomes empty and is counted in `CompanyData.warnings`, where each CSV or
JSON-lines file that is not used is named, too; a date that cannot be read stops the loading, since
everything hangs on dates.

Vendors' own exports
--------------------
- Slack: the ZIP of Settings > Import/Export, or the folder it unpacks to, here or in `slack/`; direct messages
  are left out.
- Gong: its API's answers, saved as `.json` here or as `.json` or `.jsonl` in `gong/` under any name: pages of calls,
  extensive calls, transcripts, users, scorecards and answered scorecards, one answer or item per file or line, or
  lists of them.
- Linear: the CSV files of Settings > Import/Export (columns ID, Team, Title, Status, Created and more), here or in
  `linear/`.

Exports of other products
-------------------------
A layout says in YAML how files and columns of some other export become the objects above. The
shipped ones in `layouts/` are recognised by their files' names and headers; a `layout.yaml` in the
folder, or one given by path, goes first. `layouts/crm_opportunities.yaml` is a commented example.

HubSpot's own exports (such as `hubspot-crm-exports-all-deals-2026-01-31.csv`) need no layout: any CSV in the
folder, or in its `hubspot` folder, with a column `Record ID` and with `Deal Name` and `Deal Stage`, `Company
name`, `First Name` and `Email`, or `Ticket name` and `Ticket status` is read as what it is. A file with the
name and columns of the native layout goes before them. Owners are taken from the owner columns, associations
from `Associated Company IDs`, `Associated Contact IDs` and `Associated Deal IDs`, in which a semicolon
separates several.
"""

from sophia_assets.sandbox.exports.load import load_exports

__all__ = ["load_exports"]
