"""Batches of checks, the registry of outputs, gaps of the index, and how long the steps of a check took."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batched_check",
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("generation_sha256", sa.String(length=64), nullable=True),
        sa.Column("check_id", sa.String(length=36), nullable=True),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["check_id"], ["check.id"]),
        sa.PrimaryKeyConstraint("batch_id", "position"),
        sa.UniqueConstraint("check_id"),
    )
    op.create_table(
        "output",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation_sha256", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.Integer(), nullable=False),
        sa.Column("pixels_sha256", sa.String(length=64), nullable=False),
        sa.Column("pdq", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("generation_sha256", "recipe"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("output", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_output_pixels_sha256"), ["pixels_sha256"], unique=False)
        batch_op.create_index("ix_output_recipe_id", ["recipe", "id"], unique=False)
    op.create_table(
        "index_gap",
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("blob_sha256", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("collection", "item_id"),
    )
    with op.batch_alter_table("check", schema=None) as batch_op:
        batch_op.add_column(sa.Column("timings_ms", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("check", schema=None) as batch_op:
        batch_op.drop_column("timings_ms")
    op.drop_table("index_gap")
    op.drop_table("output")
    op.drop_table("batched_check")
