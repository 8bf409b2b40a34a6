"""Which briefing went where, so that none is sent twice."""

import sqlalchemy as sa
from alembic import op

from sophia_assets.control.schema import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "deliveries",
        sa.Column("channel", sa.String(20), primary_key=True),
        sa.Column("kind", sa.String(100), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("role", sa.String(100), primary_key=True),
        sa.Column("place", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("claim", sa.String(64), nullable=False),
        sa.Column("claimed_at", Moment, nullable=False),
        sa.Column("sent_at", Moment),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("receipt", sa.String(200), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Takes it away again."""
    op.drop_table("deliveries")
