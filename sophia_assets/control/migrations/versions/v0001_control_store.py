"""Breakers, attempts, flags, operators' actions."""

import sqlalchemy as sa
from alembic import op

from sophia_assets.control.schema import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the first tables."""
    op.create_table(
        "circuits",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("consecutive_failures", sa.Integer, nullable=False),
        sa.Column("outcomes", sa.Text, nullable=False),
        sa.Column("open_seq", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("relapses", sa.Integer, nullable=False),
        sa.Column("since", Moment),
        sa.Column("cause_kind", sa.String(50)),
        sa.Column("cause_reason", sa.Text),
        sa.Column("cause_not_before", Moment),
        sa.Column("credential", sa.String(200), nullable=False),
        sa.Column("retry_at", Moment),
        sa.Column("not_before", Moment),
        sa.Column("probe_owner", sa.String(200)),
        sa.Column("probe_lease_until", Moment),
        sa.Column("forced_state", sa.String(20)),
        sa.Column("forced_by", sa.String(200)),
        sa.Column("forced_reason", sa.Text),
        sa.Column("forced_since", Moment),
        sa.Column("forced_until", Moment),
        sa.Column("change_seq", sa.Integer, nullable=False),
        sa.Column("published_seq", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "circuit_changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("event", sa.String(30), nullable=False),
        sa.Column("kind", sa.String(50)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.String(200)),
        sa.UniqueConstraint("name", "seq"),
    )
    op.create_table(
        "outcomes",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("hour", Moment, primary_key=True),
        sa.Column("successes", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("system", sa.String(100), primary_key=True),
        sa.Column("group_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("failed_at", Moment, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", Moment, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_table(
        "flags",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("changed_at", Moment, nullable=False),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "flag_changes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
    )
    op.create_index("ix_flag_changes_name", "flag_changes", ["name"])


def downgrade() -> None:
    """Takes everything away again."""
    for table in ("flag_changes", "flags", "actions", "attempts", "outcomes", "circuit_changes", "circuits"):
        op.drop_table(table)
