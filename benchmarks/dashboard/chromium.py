"""The browser that everything is measured in."""

import platform
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.machine import cores, cpu

NAMES = ("chromium", "chromium-browser", "google-chrome")
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
WIDTH, HEIGHT = 1440, 900
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    system: str
    chromium: str
    rendering: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.system}; {self.chromium}, {self.rendering}"


@contextmanager
def browser() -> Generator[Browser]:
    """A Chromium without windows.

    Raises:
        RuntimeError: The machine has none.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError(
            f"The dashboard is measured in a browser. Expected one of {', '.join(NAMES)} on the "
            "PATH. Received none: install Chromium, such as with `apt install chromium`."
        )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


def machine(launched: Browser) -> Machine:
    """This one, and how its browser draws."""
    session = launched.new_browser_cdp_session()
    version = session.send("Browser.getVersion")["product"]
    features = session.send("SystemInfo.getInfo")["gpu"].get("featureStatus", {})
    session.detach()
    composited = features.get("gpu_compositing", "").startswith("enabled")
    rendering = "rendering by GPU" if composited else "rendering by software"
    return Machine(cpu(), cores(), platform.platform(), version.replace("/", " "), rendering)


@contextmanager
def fresh_page(launched: Browser, script: str = "") -> Generator[Page]:
    """A page of a browser that has been nowhere; `script` is run before those of the page."""
    context = launched.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(script)
    yield context.new_page()
    context.close()
