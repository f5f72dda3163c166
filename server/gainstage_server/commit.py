"""Stores a batch of messages in one transaction, with all that follows from them."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from msgspec.structs import replace

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server import progress
from gainstage_server.admission import Admitted, Blocks, admit
from gainstage_server.boundary import KnownRuns
from gainstage_server.catalogue import Catalogue
from gainstage_server.diagnosis import Diagnosis, Fold, Judgement, Sample
from gainstage_server.entrance import Entrance, Outcome, Sent
from gainstage_server.layout import Layout
from gainstage_server.origin import Origin, origin_of
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store, StoreError, Transaction
from gainstage_server.store.records import (
    Change,
    FrameRecord,
    Key,
    Mark,
    MessageRecord,
    RunRecord,
    Stream,
)


@dataclass(frozen=True)
class Committed:
    """What a batch changed; `outcomes` are in the order of its messages."""

    outcomes: Sequence[Outcome]
    fresh: Sequence[Admitted]  # stored for the first time
    runs: Mapping[str, RunRecord]
    findings: Mapping[str, Sequence[Finding]]  # by run: opened, changed or closed


class Committer:
    """Turns bytes into rows. Whoever calls it waits until the last call is over."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        fold: Fold,
        known: KnownRuns,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._store = store
        self._catalogue = Catalogue(store)
        self._diagnosis = Diagnosis(store, self._catalogue, fold)
        self._known = known
        self._entrance = Entrance(settings, self._catalogue, known, clock)
        self._clock = clock
        self._beside = ThreadPoolExecutor(1, "gainstage-rows")

    def commit(self, batch: Sequence[Sent]) -> Committed:
        """Store what may enter of `batch`, and keep some of the rest apart.

        Raises:
            StoreError: Nothing of the batch is stored.
        """
        self._check_disk()
        touched: set[Stream] = set()
        try:
            outcomes, admitted = self._entrance.enter(batch)
            kept = () if admitted else self._entrance.keep_apart(batch, outcomes)
            if not admitted and not kept:
                return Committed(outcomes, (), {}, {})
            with self._store.write() as transaction:
                held: set[str] = set()
                # Read anew, what another server has changed may let in messages of more runs.
                while added := {key.run for key in admitted} - held:
                    touched.update(key.stream for key in admitted)
                    held |= added
                    if self._hold(transaction, added):
                        outcomes, admitted = self._entrance.enter(batch)
                transaction.put_refused(kept or self._entrance.keep_apart(batch, outcomes))
                committed = self._store_all(transaction, outcomes, admitted)
                transaction.tell(_changes(committed))
        except BaseException:
            self._catalogue.doubt(touched)
            self._diagnosis.forget(list(touched))
            raise
        else:
            self._catalogue.keep()
            self._let_go(committed.fresh)
            return committed
        finally:
            self._entrance.forget()

    def _let_go(self, fresh: Iterable[Admitted]) -> None:
        """Hold nothing of the streams that are over, so that those that go on find room."""
        for item in fresh:
            if isinstance(item.message, wire.RunEnd):
                self._catalogue.end(item.key.stream)
                self._diagnosis.end(item.key.stream)

    def refresh(self, runs: Collection[str]) -> None:
        """Take over what other servers have made of these runs."""
        self._known.refresh(runs)
        self.follow(runs)

    def follow(self, runs: Collection[str]) -> None:
        """Go on from what is known of these runs, which other servers have changed."""
        self._catalogue.follow(runs)
        self._diagnosis.forget_runs(runs)
        if gone := {run for run in runs if self._known.get(run) is None}:
            self._catalogue.forget_runs(gone)
        self._entrance.forget()

    def read(self, stored: Sequence[bytes]) -> list[Admitted]:
        """Messages that other servers have stored, but for those that this one would refuse."""
        self._catalogue.look_up(map(origin_of, stored))
        read = (admit(raw, self._settings, self._catalogue) for raw in stored)
        return [it for it in read if isinstance(it, Admitted)]

    def mark(self, mark: Mark) -> None:
        """Store what a person says of a finding.

        Raises:
            StoreError: It is not stored.
        """
        with self._store.write() as transaction:
            transaction.put_mark(mark)
            transaction.tell([Change(mark.run)])

    def unmark(self, run: str, finding: str) -> None:
        """Forget it.

        Raises:
            StoreError: It is still stored.
        """
        with self._store.write() as transaction:
            transaction.drop_mark(run, finding)
            transaction.tell([Change(run)])

    def delete(self, run: str) -> None:
        """Forget everything of a run; what its trainer still sends is of no attempt that has begun.

        Raises:
            StoreError: All of it is still there.
        """
        with self._store.write() as transaction:
            transaction.hold({run: None})
            transaction.drop_run(run)
            transaction.tell([Change(run)])
        self._catalogue.forget_runs({run})
        self._diagnosis.forget_runs({run})

    def hear(self, streams: Sequence[Stream]) -> Committed:
        """Store that the trainers of these streams are connected now.

        Raises:
            StoreError: Nothing of it is stored.
        """
        self._check_disk()
        now, runs = self._clock(), {stream.run for stream in streams}
        try:
            with self._store.write() as transaction:
                self._hold(transaction, runs)
                known = [record for run in runs if (record := self._known.get(run))]
                heard = {record.run: replace(record, last_seen=now) for record in known}
                self._catalogue.look_up(Origin(*stream) for stream in streams)
                attempts = [one for one in map(self._catalogue.attempt, streams) if one]
                transaction.put_attempts([replace(one, last_seen=now) for one in attempts])
                transaction.put_runs(list(heard.values()))
                transaction.tell([Change(run, alike=now) for run in heard])
            return Committed((), (), heard, {})
        finally:
            self._entrance.forget()

    def _hold(self, transaction: Transaction, runs: Collection[str]) -> bool:
        """Keep other servers from these runs; whether they had changed one, which is taken over."""
        # Where more was stored than this server was told, as the connection broke, it differs too.
        known = {run: self._known.get(run) for run in runs}
        seen = {run: record and record.last_seen for run, record in known.items()}
        if stale := transaction.hold(seen):
            self.refresh(stale)
        return bool(stale)

    def close(self) -> None:
        """Let go of the threads."""
        self._beside.shutdown()

    def _check_disk(self) -> None:
        free, floor = self._store.free_bytes(), self._settings.disk_floor
        if free is not None and free < floor:
            raise StoreError(
                f"The disk has {free} bytes left, {floor} are to stay free. Nothing is stored "
                "until there is room: make some, or lower GAINSTAGE_DISK_FLOOR."
            )

    def _store_all(
        self,
        transaction: Transaction,
        outcomes: Sequence[Outcome],
        admitted: Mapping[Key, Admitted],
    ) -> Committed:
        new = self._new(transaction, admitted.keys())
        fresh = [item for key, item in admitted.items() if key in new]
        # The rules need no transaction, and SQLite not Python's lock: each has a core.
        adding = self._beside.submit(transaction.add, *_records(fresh))
        try:
            runs = self._advance_runs(fresh, admitted)
            judgements = self._judge(fresh, runs)
        finally:
            wait([adding])
        adding.result()
        for judgement in judgements:
            judgement.store(transaction)
        transaction.put_attempts(self._catalogue.staged_attempts)
        transaction.put_runs(list(runs.values()))
        findings = {one.stream.run: list(one.findings.values()) for one in judgements}
        return Committed(outcomes, fresh, runs, findings)

    def _new(self, transaction: Transaction, keys: Set[Key]) -> set[Key]:
        """Those that are not stored yet; the store is asked only where a stream goes back."""
        newest = {stream: self._catalogue.newest(stream) for stream in {key.stream for key in keys}}
        new = {key for key in keys if key.seq > newest[key.stream]}
        new |= transaction.new(keys - new)
        for key in keys:
            newest[key.stream] = max(newest[key.stream], key.seq)
        self._catalogue.stage_newest(newest)
        return new

    def _advance_runs(
        self, fresh: Sequence[Admitted], admitted: Iterable[Key]
    ) -> dict[str, RunRecord]:
        now = self._clock()
        runs: dict[str, RunRecord] = {}
        shown: dict[str, tuple[Layout, Blocks]] = {}
        for item in fresh:
            message = item.message
            run = runs.get(message.run) or self._known.get(message.run)
            if isinstance(message, wire.RunStart):
                runs[message.run] = progress.begin_run(run, message, now)
                continue
            attempt = self._catalogue.attempt(item.key.stream)
            if run is None or attempt is None:
                raise LookupError(f"{item.key} was admitted, but its attempt has not begun.")
            runs[message.run] = progress.advance_run(run, message, now)
            if sample := progress.sample_of(run, item):
                shown[message.run] = sample
            self._catalogue.stage_attempt(progress.advance_attempt(attempt, message, now))
        # Of what a batch brings of a run, only the last is ever seen.
        for run, sample in shown.items():
            runs[run] = progress.show(runs[run], *sample)
        for run in {key.run for key in admitted}:
            known = runs.get(run) or self._known.get(run)
            if known is not None:
                runs[run] = replace(known, last_seen=now)
        return runs

    def _judge(self, fresh: Sequence[Admitted], runs: dict[str, RunRecord]) -> Sequence[Judgement]:
        """Diagnose the chief's frames of each run's newest attempt."""
        samples: dict[Stream, list[Sample]] = {}
        for item in fresh:
            frame = item.message
            if isinstance(frame, wire.Frame) and progress.is_newest(runs[frame.run], frame):
                samples.setdefault(item.key.stream, []).append((frame, item.blocks))
        for of_stream in samples.values():
            of_stream.sort(key=lambda sample: sample[0].seq)
        judgements = self._diagnosis.judge(samples, self._known.open_findings)
        for judgement in judgements:
            run = runs[judgement.stream.run]
            # A newer schema may have come, whose rows are others.
            if judgement.schema == run.schema:
                runs[run.run] = replace(run, verdicts=judgement.verdicts)
        return judgements


def _changes(committed: Committed) -> list[Change]:
    """What other servers are told of a batch: for each stream, from where to where it brought."""
    streams: dict[Stream, list[int]] = {}
    for item in committed.fresh:
        streams.setdefault(item.key.stream, []).append(item.key.seq)
    runs = committed.runs
    alike = {run: one.last_seen for run, one in runs.items() if not committed.findings.get(run)}
    changes = [
        Change(*stream, min(seqs), max(seqs), alike.get(stream.run))
        for stream, seqs in streams.items()
    ]
    told = {change.run for change in changes}
    return [*changes, *(Change(run, alike=alike.get(run)) for run in runs.keys() - told)]


def _records(
    fresh: Sequence[Admitted],
) -> tuple[Sequence[MessageRecord], Sequence[FrameRecord]]:
    """`fresh` as it is stored: what is no frame, and frames."""
    messages: list[MessageRecord] = []
    frames: list[FrameRecord] = []
    for item in fresh:
        key, message = item.key, item.message
        if isinstance(message, wire.Frame):
            kind = message.schema, message.source, message.step
            frames.append(FrameRecord(*key, *kind, message.time, item.raw))
        else:
            tag = str(message.__struct_config__.tag)
            messages.append(MessageRecord(*key, tag, message.time, item.raw))
    return messages, frames
