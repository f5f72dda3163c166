"""The documents are true: every example in them runs, every link leads somewhere."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from gainstage import LayerMonitor, cases
from gainstage.cli import app
from gainstage.diagnosis import RULES
from gainstage.served import DATABASE

from .monitor.serving import serving

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACEHOLDER = "RUN"


@dataclass(frozen=True)
class Example:
    document: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}: {self.text.strip().splitlines()[0]}"


def blocks(language: str) -> list[Example]:
    return [
        Example(document.name, text)
        for document in DOCUMENTS
        for found, text in FENCED.findall(document.read_text())
        if found == language
    ]


def lines() -> list[Example]:
    return [
        Example(block.document, line) for block in blocks("sh") for line in block.text.splitlines()
    ]


def program(line: Example) -> str:
    return Path(line.text.split()[0]).name


def commands(name: str) -> list[Example]:
    return [line for line in lines() if program(line) == name]


def anchors(document: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address and its folder."""
    folder = tmp_path_factory.mktemp("documents")
    with serving(folder) as url:
        yield url, folder


@pytest.fixture
def settings(server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's machine: a server at the usual place, a home of its own."""
    monkeypatch.setenv("GAINSTAGE_URL", server[0])
    monkeypatch.setenv("GAINSTAGE_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("GAINSTAGE_DATABASE", str(tmp_path / "gainstage.db"))
    monkeypatch.chdir(tmp_path)


def reader() -> dict[str, Any]:
    """What the reader of an example has already."""
    hidden = keras.layers.Dense(4, activation="tanh", name="hidden")
    model = keras.Sequential([keras.layers.Input((4,)), hidden, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    return {"keras": keras, "LayerMonitor": LayerMonitor, "model": model, "x": x, "y": x[:, :1]}


@pytest.fixture(scope="module")
def trained(server: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reader of a command has: the run at the server, and its files in this folder."""
    folder, had = tmp_path_factory.mktemp("trained"), reader()
    monitor = LayerMonitor(server[0], run="documented", spool=folder / "spool")
    had["model"].fit(had["x"], had["y"], epochs=2, verbose=0, callbacks=[monitor])
    had["model"].save(folder / "model.keras")
    np.savez(folder / "data.npz", x=had["x"], y=had["y"])
    return folder


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("example", blocks("python"), ids=str)
def test_python_example_runs(example: Example) -> None:
    scope = reader()

    exec(example.text, scope)

    assert set(scope) > set(reader())


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "example", [one for one in commands("gainstage") if "serve" not in one.text], ids=str
)
def test_command_of_gainstage_runs(
    example: Example,
    server: tuple[str, Path],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    if "backup" in example.text:
        monkeypatch.setenv("GAINSTAGE_DATABASE", str(server[1] / DATABASE))
    if "import" in example.text:
        CliRunner().invoke(app, ["export", "documented", "run.gainstage"])
    text = example.text.replace(PLACEHOLDER, "documented")
    if "revoke" in example.text:
        made = CliRunner().invoke(app, ["token", "create", "--scope", "read", "--all-projects"])
        text = text.replace("ID", made.stdout.split("_")[1])
    arguments = shlex.split(text, comments=True)[1:]

    ran = subprocess.run(
        [sys.executable, "-m", "gainstage.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    # TensorFlow says there what it found of the machine, and a new token stands alone beside it.
    assert ran.stderr == "" or {"trial", "token"} & set(arguments)


@pytest.mark.parametrize("example", commands("make"), ids=str)
def test_target_of_make_exists(example: Example) -> None:
    make = shlex.split(example.text, comments=True)
    ran = subprocess.run(
        [*make, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr


def test_dashboard_is_built_with_an_environment_of_the_clone() -> None:
    ran = subprocess.run(
        ["make", "--dry-run", "--always-make", "dashboard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "-m venv .venv" in ran.stdout
    assert "pip install" not in ran.stdout


@pytest.mark.parametrize("example", commands("python"), ids=str)
def test_module_that_is_run_exists(
    example: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has imported the frameworks already."""
    option, module, *arguments = shlex.split(example.text, comments=True)[1:]
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)  # another test may have imported it

    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    assert option == "-m"
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out.lower()


@pytest.mark.parametrize("example", commands("docker"), ids=str)
def test_profile_that_docker_compose_is_told_exists(example: Example) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    known = {profile for service in services for profile in service.get("profiles", [])}

    assert set(re.findall(r"--profile (\w+)", example.text)) <= known


def test_secrets_are_written_where_compose_reads_them_and_nobody_else(tmp_path: Path) -> None:
    written = "\n".join(one.text for one in [*commands("umask"), *commands("echo")])
    # Python is this one: the reader's own `python3` may be missing where tests run.
    written = written.replace("python3", shlex.quote(sys.executable))

    subprocess.run(["sh", "-ec", written], cwd=tmp_path, check=True)

    file = tmp_path / ".env"
    secrets = dict(line.split("=", 1) for line in file.read_text().splitlines())
    compose = (ROOT / "docker-compose.yml").read_text()
    assert len(secrets) == len(commands("echo")) == len({*secrets.values()})
    assert all(f"${{{name}:" in compose for name in secrets)
    assert min(len(secret) for secret in secrets.values()) >= 32
    assert file.stat().st_mode & 0o077 == 0


def test_every_command_in_the_documents_is_checked_by_some_test() -> None:
    checked = {"gainstage", "make", "python", "docker", "pip", "export", "umask", "echo"}

    assert {program(line) for line in lines()} <= checked


def test_installed_as_the_readme_says_the_server_brings_its_dashboard(tmp_path: Path) -> None:
    install = [one.text for one in commands("pip")]
    assert 'pip install ".[server]"' in install
    target = tmp_path / "installed"
    offline = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", target, str(ROOT)],
        check=True,
        timeout=120,
    )

    for package in ("gainstage", "gainstage_server"):
        assert (target / package / "__init__.py").is_file()
    static = target / "gainstage_server" / "static"
    assert (static / "index.html").is_file()
    package = json.loads((ROOT / "dashboard" / "package.json").read_text())
    notices = re.findall(r"^(\S+) \d+\.\d+\.\d+$", (static / "third-party.txt").read_text(), re.M)
    assert {*package["dependencies"], "svelte"} <= {*notices}
    assert (target / "gainstage_server" / "ops" / "alerts.yml").is_file()


def test_finding_in_the_readme_is_what_the_demo_prints() -> None:
    data = cases.load("digits")
    keras.utils.set_random_seed(0)
    monitor = LayerMonitor(False, every=10)
    model = cases.build(data, cases.CANONICAL, cases.CANONICAL.hidden())
    cases.train(model, data, cases.CANONICAL, [monitor], epochs=1)
    (printed,) = [
        text
        for language, text in FENCED.findall((ROOT / "README.md").read_text())
        if language == "text"
    ]

    summary = re.sub(r"sequential\w*", "sequential", monitor.findings()[0].summary)

    assert " ".join(printed.split()) == summary


def test_arguments_that_the_readme_names_are_arguments_of_the_monitor() -> None:
    table = re.findall(r"^\| (`\w+=.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    calls = [call for cell in table for call in re.findall(r"`(.+?)`", cell)]

    assert {call.partition("=")[0] for call in calls} >= {"run", "include", "exclude", "overhead"}
    for call in calls:
        assert eval(f"LayerMonitor(False, {call})", {"LayerMonitor": LayerMonitor})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.verdict)
def test_page_of_findings_says_what_the_rule_says(rule: Any) -> None:
    page = ROOT / "docs" / "findings.md"
    text = " ".join(page.read_text().split())

    assert rule.verdict in anchors(page)
    assert rule.meaning in text
    assert rule.threshold in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(document.read_text()):
        place, _, anchor = link.partition("#")
        page = (document.parent / place) if place else document
        if link.startswith("http"):
            continue
        if not page.exists() or (anchor and anchor not in anchors(page)):
            broken.append(link)

    assert broken == []
