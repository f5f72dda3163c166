"""The first tables; of a store from before there were revisions, those that it lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _stream() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("attempt", sa.String, primary_key=True),
        sa.Column("worker", sa.Integer, primary_key=True, autoincrement=False),
    )


def _message() -> tuple[sa.Column[object], ...]:
    return (*_stream(), sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False))


def _create(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(name, *columns, if_not_exists=True)


def upgrade() -> None:
    """Make the tables."""
    _create(
        "runs",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("tags", sa.LargeBinary, nullable=False),
        sa.Column("config", sa.LargeBinary, nullable=False),
        sa.Column("environment", sa.LargeBinary, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("attempt", sa.String, nullable=False),
        sa.Column("attempt_started", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("last_seen", sa.Double, nullable=False),
        sa.Column("last_frame", sa.Double),
        sa.Column("step", sa.BigInteger),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("schema", sa.BigInteger, nullable=False),
        sa.Column("layers", sa.Integer, nullable=False),
        sa.Column("logs", sa.LargeBinary, nullable=False),
        sa.Column("verdicts", sa.LargeBinary, nullable=False),
        sa.Column("worst_saturation", sa.Double),
        sa.Column("mean_saturation", sa.Double),
    )
    _create(
        "attempts",
        *_stream(),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("thinned", sa.BigInteger, nullable=False),
    )
    _create(
        "messages",
        *_message(),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    _create(
        "frames",
        *_message(),
        sa.Column("schema", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    by_step = ["run", "attempt", "worker", "source", "step", "seq"]
    op.create_index("frames_by_step", "frames", by_step, if_not_exists=True)
    if op.get_context().dialect.name == "postgresql":
        # Neither compressed, which float32 hardly is, nor read whole where a part is asked for.
        op.execute("ALTER TABLE frames ALTER COLUMN raw SET STORAGE EXTERNAL")
    _create(
        "findings",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("attempt", sa.String, nullable=False),
        sa.Column("worker", sa.Integer, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    _create(
        "marks",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("finding", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
    )
    _create(
        "refused",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("attempt", sa.String, nullable=False),
        sa.Column("worker", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    _create(
        "checkpoints",
        *_stream(),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("schema", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
