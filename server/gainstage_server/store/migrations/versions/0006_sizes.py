"""Runs know their sizes; what waits to become a chunk, or to lose its detail, has an index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_frames = sa.table("frames", sa.column("run"), sa.column("raw"))
_chunks = sa.table("chunks", sa.column("run"), sa.column("size"))
_sizes = sa.table("sizes", sa.column("run"), sa.column("bytes"))


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    only = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def upgrade() -> None:
    """Make the indexes and the table, and fill it from what is stored."""
    # The steps of attempts stand with them since 0005.
    op.drop_index("frames_by_step", "frames")
    op.drop_index("frames_waiting", "frames")
    waiting = ["run", "attempt", "worker", "source", "step", "seq", "schema", "time", "chunk"]
    _index("frames_waiting", "frames", waiting, "chunk IS NULL")
    _index("chunks_detailed", "chunks", ["run", "last_time"], "finest = 1")
    op.create_table(
        "sizes",
        sa.Column("run", sa.String, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    taken = sa.union_all(
        sa.select(_frames.c.run, sa.func.length(_frames.c.raw).label("bytes")),
        sa.select(_chunks.c.run, _chunks.c.size.label("bytes")),
    ).subquery()
    # PostgreSQL's sums are of another type.
    total = sa.cast(sa.func.sum(taken.c.bytes), sa.BigInteger)
    of_runs = sa.select(taken.c.run, total).group_by(taken.c.run)
    op.execute(sa.insert(_sizes).from_select(["run", "bytes"], of_runs))
