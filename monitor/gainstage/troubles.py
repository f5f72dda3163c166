"""What ended a connection, what the user is told of it, and how soon to try again."""

import contextlib
import json
import ssl
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from gainstage.delivery import FIRST_RETRY, LAST_RETRY, UnreadableError, UnusableError
from gainstage.places import serve_command

# What says "try again later" is tried no sooner.
BUSY_RETRY = 4.0
# RFC 6455, section 7.4.1, and the registry that it opens.
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
BUSY_STATUS = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Trouble:
    """Why there is no connection.

    Attributes:
        kind: What the user is told once of, whatever the words.
        text: What the user is told; empty where it is nobody's to mend.
        retry: Least seconds to the next try.
    """

    kind: str
    text: str = ""
    retry: float = FIRST_RETRY


def trouble_of(error: Exception, url: str, where: str, *, met: bool) -> Trouble:
    """What `error` says of the server at `url`.

    Args:
        error: What ended the connection, or the attempt at one.
        url: The server's address.
        where: Messages wait there meanwhile.
        met: Whether the server was ever reached.
    """
    server, waiting = f"The server at {url}", f"Statistics wait in {where}."
    match error:
        case InvalidStatus(response=response) if response.status_code in BUSY_STATUS:
            text = f"{server} is busy (HTTP {response.status_code}). {waiting}"
            found = Trouble("busy", text, BUSY_RETRY)
        case InvalidStatus(response=response):
            status, detail = response.status_code, _detail(response.body)
            text = f"{server} refused the connection (HTTP {status}). {detail} {waiting}"
            # Only a person can change its mind.
            found = Trouble("refused", text, LAST_RETRY)
        case ConnectionClosed(rcvd=frame) if frame and frame.code == TRY_AGAIN_LATER:
            found = Trouble("busy", f"{server} is busy. {frame.reason} {waiting}", BUSY_RETRY)
        case ConnectionClosed(rcvd=frame) if frame and frame.code == POLICY_VIOLATION:
            found = Trouble("refused", f"{server} hung up. {frame.reason} {waiting}", LAST_RETRY)
        case UnusableError():
            found = Trouble("unusable", f"{server} is of no use: {error} {waiting}", BUSY_RETRY)
        case UnreadableError():
            text = f"A message that waits in {where} cannot be read, and what is behind it cannot "
            text += f"be sent: {error}"
            found = Trouble("unreadable", text, LAST_RETRY)
        case ssl.SSLCertVerificationError():
            text = (
                f"The certificate of {url} is not trusted: {error.verify_message}. If its "
                "authority is your own, name its file in $SSL_CERT_FILE before training starts. "
                f"{waiting}"
            )
            found = Trouble("untrusted", text, LAST_RETRY)
        case OSError() | WebSocketException():
            command = serve_command(url)
            then = f"To look at them: {command}" if command else "It gets them later."
            text = f"No server at {url}: statistics wait in {where}. {then}"
            found = Trouble("gone", "" if met else text)
        case _:
            text = f"Sending failed, and is tried again. {type(error).__name__}: {error}"
            found = Trouble("failed", text, BUSY_RETRY)
    return found


def _detail(body: bytes | bytearray | None) -> str:
    """What a server of ours says of its refusal; advice where it is not one of ours."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body or b"")["detail"])
    return "Check `url=`, and `token=` or $GAINSTAGE_TOKEN."
