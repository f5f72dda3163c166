"""Tokens: how they are made, what the store keeps of them, and what each of them opens."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable

from starlette.concurrency import run_in_threadpool

from gainstage_server.grants import Grant
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store
from gainstage_server.store.records import Scope, TokenRecord

# Scanners of leaked secrets know a token by it; what follows is its id, to look it up by.
PREFIX = "gs_"
_ID_BYTES = 6
_SECRET_BYTES = 32
_DURATION = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_SECONDS = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def make(
    scope: Scope, project: str | None, *, name: str = "", now: float, expires: float | None = None
) -> tuple[str, TokenRecord]:
    """A token as it is shown once, and what is stored of it.

    Args:
        scope: What it opens.
        project: Whose runs it is good for; None: those of all projects.
        name: What people know it by.
        now: Unix time in seconds.
        expires: When it ends, as Unix time in seconds; None: never.
    """
    id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    record = TokenRecord(
        id=id,
        hash=_hashed(secret),
        scope=scope,
        project=project,
        name=name,
        created=now,
        expires=expires,
    )
    return f"{PREFIX}{id}_{secret}", record


def _hashed(secret: str) -> bytes:
    # A slow hash, or salt, makes it dear to try what people choose. This is 256 random bits: no
    # number of tries finds it, and each request would pay for the slowness.
    return hashlib.sha256(secret.encode()).digest()


def seconds_of(duration: str) -> float:
    """How long `duration` is, such as 12h, 30d or 8w.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(
            f"A duration is a number of hours, days or weeks, as 12h, 30d or 8w. "
            f"Received: {duration!r}."
        )
    return float(found[1]) * _SECONDS[found[2]]


def is_open(tokens: Iterable[str], received: str) -> bool:
    """Whether `received` is one of `tokens`, in a time that tells nothing about them."""
    data = received.encode()
    # All are compared: the time must not say which one it is.
    return sum(hmac.compare_digest(token.encode(), data) for token in tokens) > 0


class Tokens:
    """The one place that knows what a token opens: those of the environment and of the store."""

    def __init__(
        self, settings: Settings, store: Store, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    async def grant(self, received: str, needed: Scope) -> Grant | None:
        """What whoever sends `received` may do; None: `needed` is not open to them."""
        if received.startswith(PREFIX):
            stored = await run_in_threadpool(self._stored, received)
            if stored is not None and stored.opens(needed):
                return stored
        opening = self._settings.tokens(needed)
        return Grant(needed) if opening is None or is_open(opening, received) else None

    def _stored(self, received: str) -> Grant | None:
        id, _, secret = received.removeprefix(PREFIX).partition("_")
        record = self._store.token(id)
        if record is None or not hmac.compare_digest(record.hash, _hashed(secret)):
            return None
        holds = record.holds(self._clock())
        return Grant(record.scope, record.project, record.id) if holds else None

    def lapsed(self, ids: Iterable[str]) -> set[str]:
        """Those of these tokens of the store that open nothing any more."""
        now = self._clock()
        records = {id: self._store.token(id) for id in ids}
        return {id for id, record in records.items() if record is None or not record.holds(now)}
