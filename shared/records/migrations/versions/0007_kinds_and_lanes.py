"""The kind of a flag's match, contests by near duplicates that were released, and jobs that follow one another in a lane."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("flag", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("cluster_released", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(batch_op.f("ix_flag_kind"), ["kind"], unique=False)
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lane", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_job_lane"), ["lane"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_lane"))
        batch_op.drop_column("lane")
    with op.batch_alter_table("flag", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_flag_kind"))
        batch_op.drop_column("cluster_released")
        batch_op.drop_column("kind")
