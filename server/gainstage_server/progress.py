"""How each message changes what is known of its run and of its attempt."""

from functools import partial

from msgspec.structs import replace

from gainstage import wire
from gainstage.figures import frame_figures
from gainstage.workers import CHIEF
from gainstage_server.admission import MAX_ENTRIES, Admitted, Blocks
from gainstage_server.layout import Layout
from gainstage_server.store.records import AttemptRecord, RunRecord

SATURATION = "saturation_rate"
THINNED, SPOOLED = "thinned", "spooled"


def is_newest(run: RunRecord, message: wire.Message) -> bool:
    """Whether the run's figures are those of this message's stream."""
    return message.worker == CHIEF and message.attempt == run.attempt


def begin_run(run: RunRecord | None, message: wire.RunStart, now: float) -> RunRecord:
    """The run after an attempt began; `now` is the server's clock."""
    if run is not None and (message.worker != CHIEF or message.time < run.attempt_started):
        return run
    begun = RunRecord(
        run=message.run,
        project=message.project,
        tags=message.tags,
        config=message.config,
        environment=message.environment,
        started=message.time,
        attempt=message.attempt,
        # Of another worker than the chief: the chief's own start holds, whenever it comes.
        attempt_started=message.time if message.worker == CHIEF else 0.0,
        last_seen=now,
    )
    if run is None:
        return begun
    # What the run showed stays until the new attempt has a frame to show.
    return replace(
        run,
        project=begun.project,
        tags=begun.tags,
        config=begun.config,
        environment=begun.environment,
        started=min(run.started, begun.started),
        attempt=begun.attempt,
        attempt_started=begun.attempt_started,
        schema=begun.schema,
        ended=None,
    )


def begin_attempt(message: wire.RunStart, now: float) -> AttemptRecord:
    """The attempt after its first message; `now` is the server's clock."""
    return AttemptRecord(
        run=message.run,
        attempt=message.attempt,
        worker=message.worker,
        started=message.time,
        last_seen=now,
    )


def advance_run(run: RunRecord, message: wire.TrainerMessage, now: float) -> RunRecord:
    """The run after any message but a run_start; the figures of a frame are those of `show`."""
    if isinstance(message, wire.Frame):
        run = replace(run, frames=run.frames + 1)
        if is_newest(run, message) and message.source == "probe":
            return _after_frame(run, message, now)
    elif isinstance(message, wire.Schema) and is_newest(run, message) and message.seq > run.schema:
        return replace(run, schema=message.seq, layers=len(message.rows), verdicts=())
    elif isinstance(message, wire.RunEnd) and is_newest(run, message):
        return replace(run, ended=message.time)
    return run


def _after_frame(run: RunRecord, message: wire.Frame, now: float) -> RunRecord:
    return replace(
        run,
        step=message.step,
        epoch=message.epoch,
        logs=_logged(run.logs, message.logs),
        costs={**message.costs, THINNED: message.thinned, SPOOLED: message.spooled},
        last_frame=now,
    )


def sample_of(run: RunRecord, admitted: Admitted) -> tuple[Layout, Blocks] | None:
    """What `show` needs, of a message whose figures are the run's from now on."""
    message, layout, blocks = admitted.message, admitted.layout, admitted.blocks
    if not isinstance(message, wire.Frame) or message.source != "probe" or layout is None:
        return None
    known = layout.column(blocks, SATURATION) is not None
    return (layout, blocks) if known and is_newest(run, message) else None


def show(run: RunRecord, layout: Layout, blocks: Blocks) -> RunRecord:
    """The run with the figures of a frame."""
    figures = frame_figures(partial(layout.values, blocks), layout.headroom_db)
    return replace(run, **vars(figures))


def _logged(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """The newest value of each log: not every sample need log the same."""
    both = before | now
    return both if len(both) <= MAX_ENTRIES else now


def advance_attempt(
    attempt: AttemptRecord, message: wire.TrainerMessage, now: float
) -> AttemptRecord:
    """The attempt after any message but its run_start."""
    attempt = replace(attempt, last_seen=now)
    if isinstance(message, wire.Frame) and message.source == "probe":
        attempt = _after_step(attempt, message.step)
    match message:
        case wire.Frame() if attempt.ended is None:
            return replace(attempt, frames=attempt.frames + 1, thinned=_missing(attempt, message))
        case wire.Frame():
            # One that comes after the end, by a connection that hung, was not missing after all.
            return replace(attempt, frames=attempt.frames + 1, thinned=max(0, attempt.thinned - 1))
        case wire.RunEnd():
            return replace(
                attempt,
                ended=message.time,
                status=message.status,
                thinned=_missing(attempt, message),
            )
        case _:
            return attempt


def _missing(attempt: AttemptRecord, message: wire.Frame | wire.RunEnd) -> int:
    """Frames before `message` that will not come, because the trainer's spool was full.

    Of what it dropped, the trainer cannot know what was on the way and has come.
    """
    return max(0, message.frames - attempt.frames) if message.thinned else attempt.thinned


def _after_step(attempt: AttemptRecord, step: int) -> AttemptRecord:
    first, last = attempt.first_step, attempt.last_step
    return replace(
        attempt,
        first_step=step if first is None else min(first, step),
        last_step=step if last is None else max(last, step),
    )
