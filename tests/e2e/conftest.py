"""A real server, a real browser and real trainings, each a process of its own."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gainstage.served import DATABASE, served
from gainstage.sync import send_all
from gainstage_server.dashboard import STATIC

from .trainers import training

PATIENCE = 60.0
TRAINING = 4 * PATIENCE  # all tests are lost where it does not end
AXE = Path(__file__).parents[2] / "dashboard/node_modules/axe-core/axe.min.js"
# Root has no sandbox; the rest keeps Chromium from talking to anybody but the page's server.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Server:
    """`gainstage serve` on a port and a database that outlive its process."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._settings = {"disk_floor": "0", **settings}
        self._running = ExitStack()
        self.url = ""

    def start(self) -> None:
        port = urlsplit(self.url).port or 0
        self.url = self._running.enter_context(served(self._folder, port=port, **self._settings))

    def stop(self) -> None:
        self._running.close()

    def token(self, scope: str, project: str) -> str:
        """One that `gainstage token create` makes for the runs of a project."""
        told = ["--scope", scope, "--project", project, "--database", self._folder / DATABASE]
        command = [sys.executable, "-m", "gainstage.cli", "token", "create", *told]
        made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return made.stdout.strip()


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Server]:
    server = Server(folder, **settings)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all; the names of runs keep tests apart."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to be stopped and started."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A server with tokens."""
    tokens = {"ingest_token": "hands", "read_token": "eyes", "admin_token": "all"}
    with serving(tmp_path, **tokens) as running:
        yield running


# Not for the session: while Playwright runs, its event loop is the main thread's, and no other test
# of the session could have one of its own.
@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    if not (STATIC / "index.html").is_file():
        pytest.skip("needs the dashboard, which `make dashboard` builds")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds that keeps people from using the page: rule and the first element.

    `make dashboard` installs axe-core with what else builds the page.
    """
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@dataclass
class Watch:
    """What a page did that no page of ours may do."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda opened: self._note(opened.url))

    def _note(self, url: str) -> None:
        if urlsplit(url).hostname != "127.0.0.1":
            self.foreign.append(url)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="dark",
        permissions=["clipboard-read", "clipboard-write"],
    )
    opened.set_default_timeout(PATIENCE * 1_000)
    yield opened
    opened.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Iterator[Page]:
    """A page that may say no error and ask nobody but its server."""
    opened = context.new_page()
    watch.follow(opened)
    yield opened
    assert watch.errors == []
    assert watch.foreign == []


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spools of one training of the canonical case, which found no server."""
    folder = tmp_path_factory.mktemp("recorded")
    with training("http://127.0.0.1:9", folder, "trained") as fit:
        fit.communicate(b"go on\n", timeout=TRAINING)
        assert fit.returncode == 0, (folder / "trained.log").read_text()
    return folder / "spool"


@pytest.fixture(scope="module")
def trained(server: Server, recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a run of the canonical case that is over."""
    spools = shutil.copytree(recorded, tmp_path_factory.mktemp("sent") / "spool")
    (outcome,) = send_all(spools, server.url, None, PATIENCE)
    assert (outcome.run, outcome.state, outcome.refused) == ("trained", "sent", 0)
    return outcome.run
