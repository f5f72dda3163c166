"""A server behind TLS as docs/operations.md has it: a real Caddy, with an authority of its own."""

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.ops.programs import caddy, eventually, free_port
from tests.server.trainer import Trainer, read, subscribe
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gainstage import tls, wire
from gainstage.cli import app
from gainstage.served import served
from gainstage.spool import Spool
from gainstage.uplink import Uplink

DOCUMENT = Path(__file__).parents[2] / "docs/operations.md"
# What the document need not say: to leave the machine that the tests run on as it is.
ALONE = "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
TOKEN = "the-token-of-trainers-and-viewers"


@dataclass(frozen=True)
class Secure:
    """A server behind TLS, and the certificate of the authority that vouches for it."""

    host: str
    authority: Path

    @property
    def url(self) -> str:
        return f"https://{self.host}"


@pytest.fixture(scope="module")
def secure(
    program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    (text,) = re.findall(r"```caddyfile\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found = Secure(f"localhost:{free_port()}", folder / "caddy/pki/authorities/local/root.crt")

    def answers() -> bool:
        try:
            known = ssl.create_default_context(cafile=found.authority)
            return httpx.get(f"{found.url}/healthz", verify=known).is_success
        except (OSError, httpx.TransportError):
            return False

    with served(folder, token=TOKEN, disk_floor="0") as server:
        text = text.replace("gainstage.example.com", found.host)
        text = text.replace("127.0.0.1:8420", server.removeprefix("http://"))
        with caddy(program("caddy"), ALONE + text, folder, XDG_DATA_HOME=str(folder)):
            eventually(answers)
            yield found


@pytest.fixture
def trusted(secure: Secure, monkeypatch: pytest.MonkeyPatch) -> Secure:
    """The same, where the authority is trusted as the document says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.authority))
    return secure


def send(spool: Path, url: str, run: str) -> int:
    """Have a trainer deliver a short run; how many of its messages are left."""
    trainer, queue = Trainer(run), Spool(spool / f"{run}.0.a1.spool")
    for data in (*trainer.opening(), trainer.frame(1), trainer.run_end(1)):
        header = wire.decode_header(data)
        queue.append(header.seq, data, frame=isinstance(header, wire.Frame))
    uplink = Uplink(queue, url, TOKEN)
    uplink.notify()
    if uplink.meets(20):
        uplink.drain(20)
    uplink.close()
    return len(queue)


def test_run_arrives_and_is_listed(trusted: Secure, tmp_path: Path) -> None:
    left = send(tmp_path, trusted.url, "secure")

    told = CliRunner().invoke(app, ["runs", "--url", trusted.url, "--token", TOKEN])
    assert left == 0
    assert told.exit_code == 0, told.output
    assert "secure" in told.stdout


def test_page_of_that_host_is_told_what_is_live_and_one_from_elsewhere_is_not(
    trusted: Secure, tmp_path: Path
) -> None:
    address = f"wss://{trusted.host}/api/v1/live"

    own, elsewhere = {"Origin": trusted.url}, {"Origin": "https://elsewhere.example.com"}
    with connect(address, ssl=tls.context(), additional_headers=own) as page:
        subscribe(page, None, TOKEN)
        send(tmp_path, trusted.url, "live")
        told = read(page.recv(timeout=20))
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, ssl=tls.context(), additional_headers=elsewhere)

    assert isinstance(told, wire.RunStart)
    assert told.run == "live"


def test_every_connection_is_answered_where_the_machine_is_busy(trusted: Secure) -> None:
    """A server's tickets arrive while the first request is sent: the busier, the likelier."""
    address = f"wss://{trusted.host}/api/v1/ingest"
    answers: list[str] = []

    def ask() -> None:
        for _ in range(50):
            try:
                connect(address, ssl=tls.context(), open_timeout=60, proxy=None)
            except InvalidStatus as refused:
                answers.append(str(refused.response.status_code))
            except Exception as error:
                answers.append(repr(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 120
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))

    assert Counter(answers) == {"401": 400}


def test_training_is_told_that_the_certificate_is_not_trusted_and_keeps_all(
    secure: Secure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = send(tmp_path, secure.url, "untrusted")

    assert left == 4
    assert "is not trusted" in caplog.text
    assert "SSL_CERT_FILE" in caplog.text
