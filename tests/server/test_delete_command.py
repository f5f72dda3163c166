"""`gainstage delete`: what it deletes, and when it does not."""

from typer.testing import CliRunner

from gainstage.cli import app

from .conftest import Running
from .trainer import Trainer, send


def delete(server: Running, *options: str, answer: str = "") -> tuple[int, str]:
    arguments = ["delete", "canonical", "--url", server.url, *options]
    done = CliRunner().invoke(app, arguments, input=answer)
    return done.exit_code, done.output


def runs(server: Running) -> int:
    return len(server.get("/api/v1/runs").json()["runs"])


def test_run_that_is_over_is_deleted_after_a_question(server: Running) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), trainer.frame(0), trainer.run_end()])

    assert delete(server, answer="n\n")[0] == 1
    assert runs(server) == 1
    code, told = delete(server, answer="y\n")

    assert (code, runs(server)) == (0, 0)
    assert "Delete canonical and its 1 frames?" in told
    assert "canonical is deleted." in told


def test_live_run_is_not_deleted_and_the_reason_is_told(server: Running) -> None:
    trainer = Trainer()
    send(server.ws, [*trainer.opening(), trainer.frame(0)])

    code, told = delete(server, "--yes")

    assert (code, runs(server)) == (2, 1)
    assert "is live" in told
