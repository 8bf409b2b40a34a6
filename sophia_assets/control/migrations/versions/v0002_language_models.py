"""What language models were asked and what it cost, what their counts really are, and answers that are kept."""

import sqlalchemy as sa
from alembic import op

from sophia_assets.control.schema import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the ledger of calls, its days, the calibrations and the answers."""
    op.create_table(
        "llm_calls",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("purpose", sa.String(100), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt_version", sa.String(100), nullable=False),
        sa.Column("is_simulated", sa.Boolean, nullable=False),
        sa.Column("input_estimate", sa.Integer, nullable=False),
        sa.Column("estimate_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("reserved_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(30)),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("cached_tokens", sa.Integer, nullable=False),
        sa.Column("is_estimated", sa.Boolean, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.String(200)),
        sa.Column("seconds", sa.Float),
        sa.Column("run_id", sa.String(200)),
    )
    op.create_index("ix_llm_calls_day", "llm_calls", ["day"])
    op.create_index("ix_llm_calls_state", "llm_calls", ["state", "started_at"])
    op.create_table(
        "llm_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("is_simulated", sa.Boolean, primary_key=True),
        sa.Column("told_percent", sa.Integer, nullable=False),
        sa.Column("cache_hits", sa.Integer, nullable=False),
        sa.Column("saved_nano_usd", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "llm_calibrations",
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("ratios", sa.Text, nullable=False),
        sa.Column("learnt_at", Moment, nullable=False),
    )
    op.create_table(
        "llm_answers",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
    )
    op.create_index("ix_llm_answers_expires_at", "llm_answers", ["expires_at"])


def downgrade() -> None:
    """Takes them away again."""
    for table in ("llm_answers", "llm_calibrations", "llm_days", "llm_calls"):
        op.drop_table(table)
