"""What a trainer says of itself when it connects, in headers: a message may come much later."""

import email.utils
from collections.abc import Mapping

# Whose messages it brings, where it knows; a trainer with nothing to send is heard of too.
STREAM = "Gainstage-Stream"
# RFC 9110, section 6.6.1: when it was sent, by the sender's clock, in whole seconds.
DATE = "Date"
# How long a trainer waits for it to be over.
TIMEOUT = 10.0
# What explains a difference between two clocks that are right: the date's whole seconds and, where
# the trainer's seems to be behind, a busy server as well.
BEHIND_SECONDS = TIMEOUT + 1.0
AHEAD_SECONDS = 5.0

Stream = tuple[str, str, int]  # run, attempt and worker


def headers(now: float, token: str | None, stream: Stream | None) -> dict[str, str]:
    """What a trainer sends.

    Args:
        now: Unix time in seconds by the trainer's clock.
        token: Of the server.
        stream: Run, attempt and worker whose messages it brings.
    """
    sent = {DATE: email.utils.formatdate(now, usegmt=True)}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if stream:
        sent[STREAM] = " ".join(map(str, stream))
    return sent


def stream(received: Mapping[str, str]) -> Stream | None:
    """Run, attempt and worker whose messages it brings; None where it does not say."""
    try:
        run, attempt, worker = received.get(STREAM, "").split(" ")
        return run, attempt, int(worker)
    except ValueError:
        return None


def behind(received: Mapping[str, str], now: float) -> float:
    """How far the trainer's clock is behind the server's; 0 where it does not say, or hardly.

    Args:
        received: The headers that it sent.
        now: Unix time in seconds by the server's clock.
    """
    try:
        date = email.utils.parsedate_to_datetime(received[DATE]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return 0.0
    seconds = now - date
    return 0.0 if -AHEAD_SECONDS <= seconds <= BEHIND_SECONDS else seconds
