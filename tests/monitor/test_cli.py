"""The command line as its user meets it: what it refuses, in one line and with exit code 2."""

import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gainstage.cli import app
from gainstage_server.settings import Settings

from .serving import nowhere

ASKING = (["runs"], ["show", "RUN"], ["check", "RUN"])


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "SPOOL", "HOST", "PORT", "DATABASE"):
        monkeypatch.delenv(f"GAINSTAGE_{name}", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refusal(result: Result) -> str:
    """The one line of an error that the user could have caused."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", [*ASKING, ["sync"]], ids=lambda command: command[0])
@pytest.mark.parametrize("url", ["foo", "localhost:8420", "http://host:port", "file:///etc/passwd"])
def test_address_that_is_none_is_refused_in_one_line(command: list[str], url: str) -> None:
    line = refusal(run(*command, "--url", url))

    assert "must be the address of a Gainstage server, such as http://127.0.0.1:8420" in line
    assert f"Received: {url!r}" in line


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_server_that_is_not_there_is_told_with_the_command_that_starts_it(
    command: list[str],
) -> None:
    with nowhere() as url:
        line = refusal(run(*command, "--url", url))

    assert line.startswith(f"No server at {url}")
    assert line.endswith(f"Start one with: gainstage serve --port {url.rpartition(':')[2]}")


@pytest.fixture(params=[b"<html>", b"[]", b"{}"])
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """A web server that is another program's."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(request.param)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_server_of_another_program_is_told_from_ours(command: list[str], stranger: str) -> None:
    assert "is no Gainstage server" in refusal(run(*command, "--url", stranger))


@pytest.mark.parametrize("verdicts", ["healthy", "activity,healthy", "typo", ""])
def test_check_fails_on_faults_alone(verdicts: str) -> None:
    line = refusal(run("check", "RUN", "--fail-on", verdicts))

    assert line.startswith("--fail-on takes verdicts out of nonfinite, activity")


def test_version_is_the_installed_packages() -> None:
    result = run("--version")

    assert (result.exit_code, result.stdout) == (0, f"gainstage {version('gainstage')}\n")


def test_help_of_serve_shows_the_defaults_of_the_settings() -> None:
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run("serve", "--help").stdout).split())

    settings = Settings()
    for default in (settings.host, settings.port, settings.database.get_secret_value()):
        assert f"[default: ({default})]" in told


def test_port_that_is_taken_is_told_in_one_line_before_an_address_is_promised(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        line = refusal(run("serve", "--port", port, "--database", str(tmp_path / "runs.db")))

    assert line.startswith(f"Cannot listen on 127.0.0.1:{port}")
    assert "--port" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--port", "99999"],
            "--port: Input should be less than or equal to 65535. Received: 99999. Change it, or "
            "leave it out. It is: Port to listen on; 0 takes a free one.",
        ),
        (
            ["--host", "0.0.0.0"],
            "Other machines can reach '0.0.0.0', so sending and reading need a token each. "
            "Expected GAINSTAGE_TOKEN, or GAINSTAGE_INGEST_TOKEN and GAINSTAGE_READ_TOKEN, or "
            "GAINSTAGE_REQUIRE_TOKENS=true and tokens of `gainstage token create`. "
            "Received none for: ingest, read. Set them, or leave GAINSTAGE_HOST at 127.0.0.1.",
        ),
    ],
    ids=lambda value: str(value[0]),
)
def test_setting_that_the_server_cannot_have_is_told_in_one_line(
    options: list[str], line: str
) -> None:
    assert refusal(run("serve", *options)) == line


def test_setting_of_the_environment_is_told_by_its_name_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GAINSTAGE_PORT", "http")

    line = refusal(run("serve"))

    assert line.startswith("GAINSTAGE_PORT: Input should be a valid integer")
    assert "Received: 'http'." in line


def test_folder_of_spools_that_is_not_there_is_told(tmp_path: Path) -> None:
    line = refusal(run("sync", str(tmp_path / "typo")))

    assert line.startswith(f"There is no folder {tmp_path / 'typo'}.")


def test_sync_before_any_training_has_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = tmp_path / "spool"
    monkeypatch.setattr("gainstage.cli.training.SPOOLS", never)

    result = run("sync", str(never))

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"Spools in {never}: 0 sent, 0 left, 0 in use.\n"
