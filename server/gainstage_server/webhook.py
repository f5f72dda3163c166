"""Tells a receiver what is wrong with runs, where there is no Alertmanager to do so."""

import hashlib
import hmac
import http.client
import logging
import math
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import msgspec
from typing_extensions import override

from gainstage_server.counters import Counters
from gainstage_server.firing import Ledger, State, fired
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings

log = logging.getLogger("gainstage.server")

# Between two looks at the runs: what opens within it is told together.
LOOK_SECONDS = 2.0
# A receiver that fails is left alone for this long, then twice as long, and so on.
FIRST_REST, LONGEST_REST = 5.0, 300.0
TIMEOUT_SECONDS = 10.0
SIGNATURE = "X-Gainstage-Signature"
# Answers that say "not now"; any other below 500 will be the same next time.
TRY_AGAIN = (408, 425, 429)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The operator has named one receiver, and what is sent is for it alone."""

    @override
    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def signed(body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of a message: with a secret, one by which the receiver knows who sent it."""
    headers = {"Content-Type": "application/json", "User-Agent": "gainstage"}
    if secret is not None:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers[SIGNATURE] = f"sha256={digest}"
    return headers


def post(url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Send it, and say what came of it: "sent", "failed" or, for good, "rejected"."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS):
            return "sent"
    except urllib.error.HTTPError as error:
        error.close()
        log.warning("The webhook's receiver answered %s.", error.code)
        return "failed" if error.code >= 500 or error.code in TRY_AGAIN else "rejected"
    except (OSError, http.client.HTTPException) as error:
        log.warning("The webhook's receiver cannot be reached: %s", error)
        return "failed"


class Webhook:
    """Looks at the runs from a thread of its own, so that nobody waits for the receiver.

    What was wrong when a server last heard of any run counts as told when this one starts. A run
    that was not lost then has as long to come back as any other before it is.
    """

    def __init__(self, settings: Settings, runs: Runs, counters: Counters) -> None:
        url, secret = settings.webhook_url, settings.webhook_secret
        self._url = None if url is None else url.get_secret_value()
        self._secret = None if secret is None else secret.get_secret_value()
        self._runs = runs
        self._counters = counters
        self._heard, self._back_until = -math.inf, -math.inf
        self._lost_after = settings.lost_after
        self._ledger = Ledger()
        # Of the runs that were looked at, what the receiver knows.
        self._known: dict[str, State] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gainstage-webhook", daemon=True)

    def start(self, now: float) -> None:
        """Begin to look, if there is a receiver; `now` is the server's clock."""
        if self._url is None:
            return
        self._heard = max((record.last_seen for record in self._runs.all()), default=now)
        self._back_until = now + self._lost_after
        for record in self._runs.shown(self._heard):
            self._told(record.run, self._state(record.run, self._heard), now)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a message that is on its way goes on."""
        self._ended.set()

    def _run(self) -> None:
        rest = 0.0
        while not self._ended.wait(rest or LOOK_SECONDS):
            try:
                delivered = self.look(time.time())
            except Exception:
                log.exception("What is to be told by the webhook could not be made out.")
                delivered = False
            rest = 0.0 if delivered else min(LONGEST_REST, 2 * rest or FIRST_REST)

    def look(self, now: float) -> bool:
        """Tell what has changed; False: the receiver is not to be had, and is to be left alone."""
        shown = {record.run for record in self._runs.shown(now)}
        for run in [*shown, *(self._known.keys() - shown)]:
            state = self._state(run, now)
            if state == self._known.get(run):
                continue
            message = self._ledger.news(run, fired(state, now), now)
            if message is not None:
                body = msgspec.json.encode(message)
                result = post(self._url or "", body, signed(body, self._secret))
                self._counters.webhook[result] += 1
                if result == "failed":
                    return False
            self._told(run, state, now)
        return True

    def _state(self, run: str, now: float) -> State:
        record = self._runs.get(run)
        if record is None:
            return State()
        findings = self._runs.heard_findings(run)
        status = self._runs.status(record, self._heard if now <= self._back_until else now)
        return State.of(record, status, findings, now)

    def _told(self, run: str, state: State, now: float) -> None:
        self._ledger.told(run, fired(state, now))
        if state == State():
            self._known.pop(run, None)
        else:
            self._known[run] = state
