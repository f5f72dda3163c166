"""The names and signatures that users write, and what importing them costs."""

import inspect
import subprocess
import sys

import pytest

import gainstage
from gainstage import Finding, LayerMonitor

# architecture.md, section 4.
SIGNATURE = {
    "url": None,
    "project": "default",
    "run": None,
    "tags": (),
    "config": None,
    "every": "auto",
    "overhead": 0.01,
    "examples": 16,
    "include": None,
    "exclude": (),
    "token": None,
    "spool": None,
    "on_finding": None,
    "prometheus_port": None,
}
FINDING = {
    "layer",
    "verdict",
    "severity",
    "since_step",
    "levels",
    "evidence",
    "summary",
    "remedy",
    "code",
}


def modules_after(statement: str) -> set[str]:
    """The packages that a fresh Python has imported after `statement`."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_without_keras_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "gainstage.callback", raising=False)

    with pytest.raises(ModuleNotFoundError, match="pip install keras"):
        _ = gainstage.LayerMonitor


def test_public_names_are_these_and_no_others() -> None:
    public = {name for name in gainstage.__all__ if not name.startswith("_")}

    assert {"Finding", "LayerMonitor"} <= public
    assert public <= {"Finding", "LayerMonitor", "apply", "run_trial"}
    assert all(hasattr(gainstage, name) for name in public)


def test_unknown_name_is_an_error_of_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gainstage.nonsense  # noqa: B018


def test_monitor_takes_the_arguments_of_the_documentation() -> None:
    parameters = inspect.signature(LayerMonitor).parameters

    assert {name: parameter.default for name, parameter in parameters.items()} == SIGNATURE
    assert [name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY] == ["url"]


def test_monitor_has_the_methods_of_the_documentation() -> None:
    assert list(inspect.signature(LayerMonitor.findings).parameters) == ["self"]
    assert list(inspect.signature(LayerMonitor.frame).parameters) == ["self"]
    assert list(inspect.signature(LayerMonitor.sample).parameters) == [
        *("self", "x", "step", "logs")
    ]


def test_finding_has_the_fields_of_the_documentation() -> None:
    assert set(Finding.__struct_fields__) >= FINDING


def test_importing_gainstage_imports_no_keras() -> None:
    assert not {"keras", "tensorflow", "jax", "torch", "numpy"} & modules_after("import gainstage")


@pytest.mark.parametrize(
    "module", ["wire", "statistics", "activations", "measures", "spool", "diagnosis", "cadence"]
)
def test_what_the_server_shares_imports_no_keras_and_no_server(module: str) -> None:
    imported = modules_after(f"import gainstage.{module}")

    assert not {"keras", "tensorflow", "jax", "torch", "fastapi", "websockets"} & imported


def test_search_for_imports_finds_them() -> None:
    assert "websockets" in modules_after("import gainstage.uplink")
