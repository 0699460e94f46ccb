"""A check may raise several flags, each for an item of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# The first version left its constraints unnamed: PostgreSQL names them so; SQLite does where the table is copied.
NAMING = {"uq": "%(table_name)s_%(column_0_name)s_key"}


def upgrade() -> None:
    with op.batch_alter_table("flag", schema=None, naming_convention=NAMING) as batch_op:
        batch_op.drop_constraint("flag_check_id_key", type_="unique")
        batch_op.create_unique_constraint("flag_check_id_item_id_key", ["check_id", "item_id"])


def downgrade() -> None:
    # Flags are never deleted.
    several = "SELECT 1 FROM flag GROUP BY check_id HAVING count(*) > 1"
    if op.get_bind().execute(sa.text(several)).first() is not None:
        raise RuntimeError("expected at most one flag a check, got checks with several: the older version cannot hold them")
    with op.batch_alter_table("flag", schema=None, naming_convention=NAMING) as batch_op:
        batch_op.drop_constraint("flag_check_id_item_id_key", type_="unique")
        batch_op.create_unique_constraint("flag_check_id_key", ["check_id"])
