"""Chunks have sections, and full ones an index, by which compaction merges them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_FULL = sa.text("frames = 128 AND source = 'probe'")


def upgrade() -> None:
    """Add the column, of chunks that are not merged, and the index."""
    op.add_column("chunks", sa.Column("sections", sa.Integer, nullable=False, server_default="1"))
    op.create_index(
        "chunks_full",
        "chunks",
        ["run", "attempt", "worker", "schema", "finest", "source", "frames"],
        sqlite_where=_FULL,
        postgresql_where=_FULL,
    )
    if op.get_context().dialect.name == "postgresql":
        # To look for what repeats in numbers takes longer than to read them.
        for column in ("axis", "logs"):
            op.execute(f"ALTER TABLE chunks ALTER COLUMN {column} SET STORAGE EXTERNAL")
