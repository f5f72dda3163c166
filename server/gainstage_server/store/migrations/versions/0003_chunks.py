"""Frames go into chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _message() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("attempt", sa.String, primary_key=True),
        sa.Column("worker", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def upgrade() -> None:
    """Add what chunks are kept in; compaction fills it."""
    op.add_column("frames", sa.Column("chunk", sa.BigInteger))
    op.create_index(
        "frames_waiting",
        "frames",
        ["run", "attempt", "worker", "source", "schema", "step", "seq"],
        sqlite_where=sa.text("chunk IS NULL"),
        postgresql_where=sa.text("chunk IS NULL"),
    )
    op.create_table(
        "chunks",
        *_message(),
        sa.Column("schema", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("first_step", sa.BigInteger, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_time", sa.Double, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("finest", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("axis", sa.LargeBinary, nullable=False),
        sa.Column("logs", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "parts",
        *_message(),
        sa.Column("factor", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("group", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        # They are compressed.
        op.execute("ALTER TABLE parts ALTER COLUMN data SET STORAGE EXTERNAL")
