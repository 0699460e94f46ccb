"""What opens the hidden fields of entries, and whom each entry was made for."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_opening",
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(length=36), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("salts", sa.JSON(), nullable=True),
        sa.Column("hidden", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["log_entry.id"]),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    with op.batch_alter_table("log_opening", schema=None) as batch_op:
        batch_op.create_index("ix_log_opening_author", ["author", "entry_id"], unique=False)


def downgrade() -> None:
    op.drop_table("log_opening")
