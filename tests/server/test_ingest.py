from .trainer import Trainer, send


def test_what_a_trainer_sends_is_acknowledged_and_stored(server):
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.frame(step) for step in (0, 10, 20))]

    assert send(server.ws, messages) == []

    run = server.get("/api/v1/runs/canonical").json()
    assert (run["frames"], run["step"], run["layers"], run["status"]) == (3, 20, 3, "live")
