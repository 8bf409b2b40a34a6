"""The objects of the native layout and the columns without which they mean nothing."""

from __future__ import annotations

KEYS: dict[str, tuple[str, ...]] = {
    "hubspot/companies": ("company_id",),
    "hubspot/contacts": ("contact_id",),
    "hubspot/deals": ("deal_id", "stage"),
    "hubspot/deal_history": ("deal_id", "property", "changed_at", "value"),
    "hubspot/deal_companies": ("deal_id", "company_id"),
    "hubspot/owners": ("owner_id",),
    "hubspot/pipeline_stages": ("stage_id", "stage_label"),
    "gong/users": ("user_id",),
    "gong/calls": ("call_id", "started_at"),
    "gong/call_trackers": ("call_id", "tracker"),
    "gong/transcripts": ("call_id", "position"),
    "snowflake/SALES.DEALS": ("DEAL_ID",),
    "snowflake/FINANCE.SUBSCRIPTIONS": ("TERM_ID",),
    "snowflake/FINANCE.INVOICES": ("INVOICE_ID",),
    "snowflake/SUPPORT.SATISFACTION": ("RESPONSE_ID",),
}
