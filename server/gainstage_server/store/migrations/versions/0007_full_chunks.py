"""Chunks that may be joined have an index; compaction joins them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_FULL = sa.text("frames = 128 AND source = 'probe'")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "chunks_full",
        "chunks",
        ["run", "attempt", "worker", "source", "frames"],
        sqlite_where=_FULL,
        postgresql_where=_FULL,
    )
