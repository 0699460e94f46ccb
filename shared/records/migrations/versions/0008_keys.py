"""API keys; idempotency keys belong to the caller that sent them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("party_id", sa.String(length=36), nullable=True),
        sa.Column("created_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["log_entry.id"]),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry_id"),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_key_party_id"), ["party_id"], unique=False)
    _remake(with_caller=True)


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_key WHERE caller <> ''")
    _remake(with_caller=False)
    op.drop_table("api_key")


def _remake(*, with_caller: bool) -> None:
    """Make the table of idempotency keys anew, since SQLite cannot change a primary key."""
    caller = [sa.Column("caller", sa.String(length=32), nullable=False)] if with_caller else []
    op.rename_table("idempotency_key", "idempotency_key_before")
    op.create_table(
        "idempotency_key",
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        *caller,
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        # Named, since the table before holds the name that PostgreSQL would give it.
        sa.PrimaryKeyConstraint(
            "operation", "key", *(one.name for one in caller), name=f"pk_idempotency_key{'_of_caller' if with_caller else ''}"
        ),
    )
    before, after = sa.table("idempotency_key_before", *_kept()), sa.table("idempotency_key", *_kept(), sa.column("caller"))
    values = [*before.c, sa.literal("")] if with_caller else [*before.c]
    names = [*(one.name for one in before.c), *(one.name for one in caller)]
    op.execute(after.insert().from_select(names, sa.select(*values)))
    op.drop_table("idempotency_key_before")


def _kept() -> list[sa.ColumnClause[str]]:
    return [sa.column(name) for name in ("operation", "key", "request_sha256", "resource_id", "created_at")]
