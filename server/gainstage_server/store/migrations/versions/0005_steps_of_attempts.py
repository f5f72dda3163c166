"""An attempt knows the steps that it sampled, and when it was last heard of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = ("run", "attempt", "worker")
_FOUND = ("first_step", "last_step", "last_seen")
_attempts = sa.table("attempts", *map(sa.column, (*_KEY, "started", *_FOUND)))
_frames = sa.table("frames", *map(sa.column, (*_KEY, "source", "step", "time")))


def upgrade() -> None:
    """Add the columns, and fill them from the frames that are stored."""
    with op.batch_alter_table("attempts") as batch:
        batch.add_column(sa.Column("first_step", sa.BigInteger))
        batch.add_column(sa.Column("last_step", sa.BigInteger))
        batch.add_column(sa.Column("last_seen", sa.Double))
    own = [_frames.c[name] == _attempts.c[name] for name in _KEY]
    probe = _frames.c.source == "probe"
    first = sa.select(sa.func.min(_frames.c.step)).where(*own, probe).scalar_subquery()
    last = sa.select(sa.func.max(_frames.c.step)).where(*own, probe).scalar_subquery()
    seen = sa.select(sa.func.max(_frames.c.time)).where(*own).scalar_subquery()
    heard = sa.func.coalesce(seen, _attempts.c.started)
    op.execute(sa.update(_attempts).values(dict(zip(_FOUND, (first, last, heard), strict=True))))
    with op.batch_alter_table("attempts") as batch:
        batch.alter_column("last_seen", existing_type=sa.Double, nullable=False)
