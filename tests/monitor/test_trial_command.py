"""`gainstage trial`: from files to a table, a picture, and a result at the server."""

from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gainstage import LayerMonitor
from gainstage.cli import app

from .serving import nowhere

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.random((200, 64)).astype(np.float32)
Y = (X[:, :32].sum(axis=1) > X[:, 32:].sum(axis=1)).astype(np.int64)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, server: str) -> Path:
    """A saved model that was watched as the run "watched", and its data."""
    folder = tmp_path_factory.mktemp("files")
    kernel: Any = keras.initializers.RandomNormal(0.5, 0.2)
    hidden = layers.Dense(8, activation="sigmoid", kernel_initializer=kernel, name="hidden")
    model = keras.Sequential(
        [layers.Input((64,)), hidden, layers.Dense(2, "softmax", name="classes")], name="model"
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", x=X, y=Y)
    monitor = LayerMonitor(server, run="watched", every=5, spool=folder / "spool")
    model.fit(X, Y, batch_size=20, epochs=8, verbose=0, callbacks=[monitor])
    return folder


def trial(folder: Path, *arguments: str) -> Result:
    files = [str(folder / "model.keras"), str(folder / "data.npz")]
    return CliRunner().invoke(app, ["trial", *files, "--steps", "4", "--seeds", "1", *arguments])


def test_layer_comes_from_the_run_s_finding_and_the_result_goes_to_it(
    files: Path, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GAINSTAGE_SPOOL", str(tmp_path))

    result = trial(
        files, "--run", "watched", "--url", server, "--picture", str(tmp_path / "trial.svg")
    )

    assert result.exit_code == 0, result.output
    assert "model/hidden after 4 steps, means and half ranges over 1 seeds" in result.stdout
    assert "activity L2(" in result.stdout
    assert (tmp_path / "trial.svg").read_text().startswith("<?xml")
    (stored,) = httpx.get(f"{server}/api/v1/runs/watched/trials").json()["trials"]
    assert (stored["layer"], stored["steps"][-1]) == ("model/hidden", 4)
    assert httpx.get(f"{server}/api/v1/runs/watched").json()["status"] == "ended"
    assert list(tmp_path.glob("*.spool")) == []


def test_what_is_missing_is_told_in_one_line(files: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", inputs=X)
    (tmp_path / "text.npz").write_text("no arrays")
    model = str(files / "model.keras")

    def refused(data: Path, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["trial", model, str(data), *arguments])
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        return line

    hidden = ("--layer", "model/hidden")
    assert "Received neither --layer nor a --run" in refused(files / "data.npz")
    assert "must hold the arrays x and y. Received: inputs." in refused(
        tmp_path / "inputs.npz", *hidden
    )
    assert "Expected a file of arrays that numpy.savez has written" in refused(
        tmp_path / "text.npz", *hidden
    )
    assert "Received: 'nowhere', of which there are 0. Known: hidden, classes." in refused(
        files / "data.npz", "--layer", "nowhere"
    )
    with nowhere() as url:
        line = refused(files / "data.npz", "--run", "watched", "--url", url)
    assert line.startswith(f"No server at {url}")


class Mine(layers.Dense):
    """A layer that Keras is not told of."""


def own_loss(y: Any, predicted: Any) -> Any:
    return keras.ops.mean(keras.ops.square(y - predicted))


def told(folder: Path, model: Path, data: Path) -> str:
    """What the command says, in one line, of files that it cannot read."""
    arguments = ["trial", str(model), str(data), "--layer", "hidden"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line.replace(str(folder), "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 and then nothing", "File is not a zip file"),
        (b"", "No data left in file"),
        (b"no arrays", "This file contains pickled (object) data"),
    ],
)
def test_file_without_arrays_is_told_in_one_line(
    files: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "data.npz").write_bytes(content)

    assert told(tmp_path, files / "model.keras", tmp_path / "data.npz") == (
        "Expected a file of arrays that numpy.savez has written. Received: /data.npz "
        f"({reason}). Write it by numpy.savez(path, x=x, y=y)."
    )


def test_single_array_and_a_folder_are_told_of(files: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", X)
    folder = CliRunner().invoke(
        app, ["trial", str(files / "model.keras"), str(tmp_path), "--layer", "hidden"]
    )

    assert "it holds a single array, without a name" in (
        told(tmp_path, files / "model.keras", tmp_path / "data.npy")
    )
    assert (folder.exit_code, "directory" in folder.stderr) == (2, True)


@pytest.mark.parametrize(
    ("layer", "loss", "unknown"),
    [(Mine, "mse", "class 'Mine'"), (layers.Dense, own_loss, "function 'own_loss'")],
)
def test_layer_or_loss_of_the_user_is_told_in_one_line_with_what_to_do(
    files: Path, tmp_path: Path, layer: Any, loss: Any, unknown: str
) -> None:
    model = keras.Sequential([layers.Input((64,)), layer(1, name="hidden")])
    model.compile("sgd", loss)
    model.save(tmp_path / "model.keras")

    line = told(tmp_path, tmp_path / "model.keras", files / "data.npz")

    assert f"Received: /model.keras (Could not locate {unknown}). Decorate yours with" in line
    assert "call `gainstage.run_trial(model, (x, y), layer=...)` in Python" in line


def test_model_that_is_none_is_told_in_one_line(files: Path, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("no model")

    assert told(tmp_path, tmp_path / "model.keras", files / "data.npz").startswith(
        "Expected a model that `model.save` has written as a file *.keras. Received: /model.keras"
    )
