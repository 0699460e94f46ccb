"""Audits that are void, and rules that failed a control."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("state", sa.String(), nullable=False, server_default="completed"))
    op.add_column("calibration", sa.Column("unsound_rules", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("calibration", "unsound_rules")
    op.drop_column("audit", "state")
