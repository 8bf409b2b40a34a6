"""HubSpot's raw tables: what they hold, their keys, cursors, freshness and rules.

Every group but `owners` and `pipelines` costs, besides what changed, one request per 100 live and per
100 archived records in each load: neither archiving nor an association counts as a modification.
"""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    boolean,
    decimal,
    floating,
    integer,
    key_rules,
    not_null,
    one_of,
    refers_to,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Freshness, Table
from sophia_assets.sources.hubspot.activity_tables import ACTIVITY_TABLES, association_table

SYSTEM = "hubspot"

_CRM_FRESHNESS = Freshness(newest_event=timedelta(days=4))
_QUIET_FRESHNESS = Freshness()
_CRM_LOOKBACK = timedelta(days=1)

_COMPANIES = Table(
    system=SYSTEM,
    name="companies",
    group="companies",
    description="Companies in the CRM: the accounts that deals, calls, subscriptions and invoices refer to.",
    primary_key=("company_id",),
    # The accounts that every other system's rows are matched to.
    is_dimension=True,
    # Names and industries are shown, and overwritten in the CRM.
    keeps_versions=True,
    carries_back=True,
    cursor="updated_at",
    lookback=_CRM_LOOKBACK,
    freshness=_QUIET_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("company_id", "HubSpot's id of the company; other systems refer to accounts by it."),
        string("name", "The company's name, as people call the account."),
        string("domain", "The company's internet domain."),
        string("industry", "The industry, as chosen in the CRM."),
        string("country", "The country of the company's main office."),
        decimal("annual_revenue", "The company's own yearly revenue, in US dollars, as entered in the CRM."),
        integer("employees", "The company's number of employees, as entered in the CRM."),
        string("owner_id", "The CRM user responsible for the account."),
        timestamp("created_at", "When the record was created."),
        timestamp("updated_at", "When the record was last modified."),
    ),
    expectations=(
        *key_rules("company_id"),
        not_null("name", severity="warn", mostly=0.95),
        between("employees", 0, None, severity="warn"),
        between("annual_revenue", 0, None, severity="warn"),
    ),
)

_CONTACTS = Table(
    system=SYSTEM,
    name="contacts",
    group="contacts",
    description="People at customers and prospects, with the company each belongs to.",
    primary_key=("contact_id",),
    entity="contact_id",
    cursor="updated_at",
    lookback=_CRM_LOOKBACK,
    freshness=_QUIET_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("contact_id", "HubSpot's id of the contact."),
        string("email", "The person's e-mail address.", personal=True),
        string("first_name", "The person's first name.", personal=True),
        string("last_name", "The person's last name.", personal=True),
        string("job_title", "The person's role at their company."),
        string("lifecycle_stage", "How far the person is on the way to being a customer."),
        string("owner_id", "The CRM user responsible for the contact."),
        string("company_id", "The primary company of the contact."),
        timestamp("created_at", "When the record was created."),
        timestamp("updated_at", "When the record was last modified."),
    ),
    expectations=(
        *key_rules("contact_id"),
        not_null("company_id", severity="warn", mostly=0.5),
        refers_to("company_id", "hubspot.companies", mostly=0.95),
    ),
)

_DEALS = Table(
    system=SYSTEM,
    name="deals",
    group="deals",
    description="Sales opportunities as they stand now: stage, amount, expected or actual close date, owner.",
    primary_key=("deal_id",),
    entity="deal_id",
    # An archived deal that comes back was gone in between, which nothing else tells.
    keeps_versions=True,
    carries_back=True,
    cursor="updated_at",
    lookback=_CRM_LOOKBACK,
    freshness=_CRM_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("deal_id", "HubSpot's id of the deal."),
        string("name", "The deal's name."),
        string("pipeline_id", "The pipeline the deal moves through."),
        string("stage_id", "The stage the deal is in; its label is in pipeline_stages."),
        decimal("amount", "The deal's value in US dollars; empty while nobody has estimated it."),
        floating("probability", "The chance of winning that its stage implies, 0 to 1."),
        string("deal_type", "New business or existing business."),
        timestamp("close_date", "When the deal was closed, or is expected to close."),
        string("owner_id", "The CRM user who sells the deal."),
        string("lost_reason", "Why the deal was lost, in the seller's words."),
        timestamp("created_at", "When the deal was created."),
        timestamp("updated_at", "When the deal was last modified."),
    ),
    expectations=(
        *key_rules("deal_id"),
        not_null("stage_id", recovery="Give every deal a stage in HubSpot; a deal without one is in no pipeline."),
        not_null("name", severity="warn", mostly=0.99),
        not_null("owner_id", severity="warn", mostly=0.95),
        refers_to("owner_id", "hubspot.owners", mostly=0.95),
        refers_to("stage_id", "hubspot.pipeline_stages", mostly=0.99),
        between("amount", 0, None, severity="warn"),
        between("probability", 0, 1),
    ),
)

_DEAL_HISTORY = Table(
    system=SYSTEM,
    name="deal_history",
    group="deals",
    description="Each value that a deal's stage, amount, close date, owner and name have had, and from when it held.",
    primary_key=("deal_id", "property", "changed_at"),
    entity="deal_id",
    cursor="changed_at",
    lookback=_CRM_LOOKBACK,
    freshness=_CRM_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("deal_id", "The deal that changed."),
        string("property", "Which property changed: dealstage, amount, closedate, hubspot_owner_id or dealname."),
        timestamp("changed_at", "From when the value held."),
        string("value", "The value from then on, as HubSpot writes it; empty where it was cleared."),
        string("source_type", "What made the change, for example CRM_UI or IMPORT."),
    ),
    expectations=(
        *key_rules("deal_id", "property", "changed_at"),
        refers_to("deal_id", "hubspot.deals", mostly=0.95),
        one_of("property", ["dealstage", "amount", "closedate", "hubspot_owner_id", "dealname"]),
    ),
)

_DEAL_COMPANIES = Table(
    system=SYSTEM,
    name="deal_companies",
    group="deals",
    description="Which companies a deal is associated with.",
    primary_key=("deal_id", "company_id"),
    entity="deal_id",
    # Which account a deal was with on a past day; the CRM keeps no history of it.
    keeps_versions=True,
    carries_back=True,
    freshness=_QUIET_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("deal_id", "The deal."),
        string("company_id", "A company that the deal is with."),
    ),
    expectations=(
        *key_rules("deal_id", "company_id"),
        refers_to("deal_id", "hubspot.deals", mostly=0.95),
        refers_to("company_id", "hubspot.companies", mostly=0.95),
    ),
)

_CONTACT_ASSOCIATIONS = association_table(
    "contacts", "contact", "Every company of a contact, the primary one included."
)
_DEAL_ASSOCIATIONS = association_table("deals", "deal", "Which contacts a deal is associated with.")

_OWNERS = Table(
    system=SYSTEM,
    name="owners",
    group="owners",
    description="CRM users who own records, those who have left included.",
    primary_key=("owner_id",),
    is_dimension=True,
    # Names and teams are overwritten in the CRM.
    keeps_versions=True,
    carries_back=True,
    freshness=_QUIET_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("owner_id", "HubSpot's id of the owner."),
        string("email", "The owner's e-mail address.", personal=True),
        string("first_name", "The owner's first name."),
        string("last_name", "The owner's last name."),
        string("team", "The first team that the owner belongs to."),
        boolean("archived", "Whether the owner has left."),
        timestamp("created_at", "When the owner was added."),
        timestamp("updated_at", "When the owner was last modified."),
    ),
    expectations=(*key_rules("owner_id"), not_null("last_name", severity="warn", mostly=0.9)),
)

_PIPELINE_STAGES = Table(
    system=SYSTEM,
    name="pipeline_stages",
    group="pipelines",
    description="The stages of the deal pipelines, in order, with the chance of winning that each implies.",
    primary_key=("pipeline_id", "stage_id"),
    is_dimension=True,
    # A stage's name and chance are settings, without any history.
    keeps_versions=True,
    carries_back=True,
    freshness=_QUIET_FRESHNESS,
    owner="team:revenue",
    columns=(
        string("pipeline_id", "The pipeline."),
        string("pipeline_label", "The pipeline's name."),
        string("stage_id", "The stage; deals refer to it."),
        string("stage_label", "The stage's name."),
        integer("display_order", "The stage's place in the pipeline, from the left."),
        floating("probability", "The chance that a deal in this stage is won, 0 to 1."),
        boolean("is_closed", "Whether a deal in this stage is decided: won or lost."),
    ),
    expectations=(
        *key_rules("pipeline_id", "stage_id"),
        not_null("stage_label"),
        not_null("is_closed", recovery="Mark each stage as open or closed in HubSpot's pipeline settings."),
        between("probability", 0, 1, recovery="Set the stage's probability in HubSpot's pipeline settings."),
    ),
)

TABLES: tuple[Table, ...] = (
    _COMPANIES,
    _CONTACTS,
    _CONTACT_ASSOCIATIONS,
    _DEALS,
    _DEAL_HISTORY,
    _DEAL_COMPANIES,
    _DEAL_ASSOCIATIONS,
    _OWNERS,
    _PIPELINE_STAGES,
    *ACTIVITY_TABLES,
)
