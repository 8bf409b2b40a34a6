"""What runs measure of themselves, and an index for who did what when."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of figures and of what has been read for them."""
    op.create_table(
        "measures",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("series", sa.String(100), primary_key=True),
        sa.Column("labels", sa.String(500), primary_key=True),
        sa.Column("part", sa.String(20), primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def downgrade() -> None:
    """Takes them away again."""
    op.drop_index("ix_audit_at", "audit")
    for table in ("marks", "measures"):
        op.drop_table(table)
