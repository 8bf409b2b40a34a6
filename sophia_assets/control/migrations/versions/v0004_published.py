"""Which briefing was published with which seal, so that one that was rewritten later is found."""

import sqlalchemy as sa
from alembic import op

from sophia_assets.control.schema import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "published",
        sa.Column("kind", sa.String(100), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("role", sa.String(100), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("published_at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Takes it away again."""
    op.drop_table("published")
