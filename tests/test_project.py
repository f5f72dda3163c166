"""What holds for the repository as a whole: its files, its pins, and what imports what."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = sorted({*(ROOT / "requirements").glob("*.txt")} - {ROOT / "requirements/torch.txt"})

# What a lock file or a log, copied from a machine, brings along: folders of its own, and the hosts
# that its packages came from.
FOREIGN = re.compile(
    r"(?<![\w.])/(home|Users)/\w+/|(?<![\w.])/(root|work)/"
    r"|pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org"
)

# Module of the training side -> packages that it must not import.
APART = {
    "gainstage": ("keras", "tensorflow", "jax", "torch", "fastapi"),
    "gainstage.wire": ("socket", "keras", "tensorflow", "fastapi"),
    "gainstage.statistics": ("socket", "keras", "tensorflow", "fastapi"),
    "gainstage.activations": ("socket", "keras", "tensorflow", "fastapi"),
    "gainstage.contractions": ("socket", "keras", "tensorflow", "fastapi"),
    "gainstage.diagnosis": ("socket", "keras", "tensorflow", "fastapi"),
    "gainstage.spool": ("socket", "keras", "tensorflow", "fastapi"),
}


def tracked_files() -> list[Path]:
    """Every file of the repository except this one, which speaks of what is looked for."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [file for file in files if file.exists() and file != Path(__file__)]


def imported_with(module: str) -> set[str]:
    """What a fresh interpreter has imported after `import module`."""
    script = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize("module", APART)
def test_module_imports_nothing_that_it_must_stay_apart_from(module: str) -> None:
    assert imported_with(module).isdisjoint(APART[module])


def test_imports_are_noticed() -> None:
    assert {"socket", "http.client"} <= imported_with("http.client")


def test_no_file_holds_an_address_of_a_machine_or_a_registry() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked_files()
        for match in FOREIGN.finditer(file.read_text(errors="ignore"))
    ]

    assert found == []


@pytest.mark.parametrize("parts", [("", "home", "ada", "x"), ("at ", "root", "x"), ("pypi.org",)])
def test_addresses_are_noticed(parts: tuple[str, ...]) -> None:
    assert FOREIGN.search("/".join(parts))


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_requirements_are_pinned_by_version_and_hash_without_addresses(file: Path) -> None:
    text = re.sub(r"^ *#.*$", "", file.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line.strip()]

    assert requirements
    assert [line for line in requirements if not re.match(r"[\w.-]+(\[\w+\])?==\S+ ", line)] == []
    assert [line for line in requirements if "--hash=sha256:" not in line] == []
    assert "://" not in text
    assert "--index" not in text


def test_torch_is_pinned_by_version_alone() -> None:
    *reasons, pin = (ROOT / "requirements/torch.txt").read_text().splitlines()

    assert all(line.startswith("#") for line in reasons)
    assert re.fullmatch(r"torch==[\d.]+", pin)


def test_requirements_agree_with_each_other() -> None:
    pins: dict[str, set[str]] = {}
    for file in REQUIREMENTS:
        for pin in re.findall(r"^([\w.-]+==[^\\]+?) *\\$", file.read_text(), flags=re.MULTILINE):
            pins.setdefault(pin.split("==")[0], set()).add(f"{file.name}: {pin}")
    # A package that one file needs on some platforms alone, another may need on all.
    everything = {
        pin.partition(": ")[2].partition(" ;")[0] for found in pins.values() for pin in found
    }
    development = (ROOT / "requirements/dev.txt").read_text()

    assert [pin for pin in everything if pin not in development] == []


def test_dashboard_is_pinned_by_version_and_hash_without_addresses() -> None:
    lock = (ROOT / "dashboard/package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    installed = [package for path, package in packages.items() if path]

    assert installed
    assert "://" not in lock
    assert [package for package in installed if not package.get("integrity")] == []


def test_image_has_the_version_of_the_distribution() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f"image: gainstage/server:{version}\n" in (ROOT / "docker-compose.yml").read_text()


def test_ci_runs_all_that_the_tests_and_the_checks_are() -> None:
    def recipe(target: str) -> set[str]:
        ran = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return {line for line in ran.stdout.splitlines() if not line.startswith("make")}

    assert "\nmake ci\n" in (ROOT / ".ci/run").read_text()
    assert any("pytest" in line for line in recipe("test"))
    assert any("ruff" in line for line in recipe("check"))
    ops = recipe("check-ops")
    assert recipe("test") | recipe("check") - ops <= recipe("ci")
    # These are tests that CI runs anyway.
    files = [word for line in ops for word in line.split() if word.startswith("tests/")]
    assert files
    assert all(file.startswith(("tests/server/", "tests/ops/")) for file in files)
    assert any(line.endswith("tests/server tests/ops") for line in recipe("ci"))
