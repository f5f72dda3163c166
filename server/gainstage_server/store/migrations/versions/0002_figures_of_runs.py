"""Runs say how far above its headroom the loudest layer is, what is not finite, and the costs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NOTHING = b"\x80"  # MessagePack of an empty map


def upgrade() -> None:
    """Add the columns; a run has nothing in them until its next frame."""
    op.add_column("runs", sa.Column("worst_excess", sa.Double))
    op.add_column("runs", sa.Column("worst_nonfinite", sa.Double))
    # No default: what writes a run says them.
    op.add_column("runs", sa.Column("costs", sa.LargeBinary))
    op.execute(sa.text("UPDATE runs SET costs = :nothing").bindparams(nothing=NOTHING))
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("costs", nullable=False)
