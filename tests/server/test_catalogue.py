"""What is held of many runs takes room once where it is the same."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec
import pytest

from gainstage import wire
from gainstage_server.catalogue import Catalogue
from gainstage_server.commit import Committer
from gainstage_server.entrance import Sent
from gainstage_server.layout import Layout, _Told
from gainstage_server.runs import Runs
from gainstage_server.settings import Settings
from gainstage_server.store.interface import Store, StoreError, Transaction
from gainstage_server.store.records import Key

from .committing import Commit, commit
from .fold import NoFold
from .trainer import Trainer

__all__ = ["commit"]  # the fixture


def schema_of(run: str, path: str = "dense") -> wire.Schema:
    schema = wire.decode(Trainer(run=run).opening()[1])[0]
    assert isinstance(schema, wire.Schema)
    rows = tuple(msgspec.structs.replace(row, path=path) for row in schema.rows)
    return msgspec.structs.replace(schema, rows=rows)


def staged(catalogue: Catalogue, schema: wire.Schema) -> Layout:
    key = Key(schema.run, schema.attempt, schema.worker, schema.seq)
    told = Layout.read(wire.encode(schema))
    assert told is not None
    catalogue.stage_layout(key, told)
    layout = catalogue.layout(key)
    assert layout is not None
    return layout


def test_runs_of_the_same_layers_hold_them_once(store: Store) -> None:
    catalogue = Catalogue(store)

    one, other = (staged(catalogue, schema_of(run)) for run in ("one", "other"))
    different = staged(catalogue, schema_of("different", path="other"))

    assert other.schema.rows is one.schema.rows
    assert other.schema == schema_of("other")
    assert different.schema.rows is not one.schema.rows
    assert different.schema == schema_of("different", path="other")


def test_what_a_failed_commit_stored_all_the_same_is_not_taken_for_new(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(store, 60.0)
    committer = Committer(Settings(disk_floor=0), store, NoFold(), runs)
    trainer = Trainer()
    opening, repeated = trainer.opening(), trainer.frame(10)
    runs.apply(committer.commit([Sent(message) for message in opening]))
    write = store.write

    @contextmanager
    def cut_off() -> Generator[Transaction]:
        with write() as transaction:
            yield transaction
        raise StoreError("The connection broke while it was told.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", cut_off)
        with pytest.raises(StoreError):
            committer.commit([Sent(repeated)])
    committed = committer.commit([Sent(repeated)])

    assert committed.outcomes == [Key("canonical", "a1", 0, 2)]
    assert committed.fresh == []


def test_what_is_read_from_the_store_shares_too(store: Store, commit: Commit) -> None:
    commit(*Trainer(run="one").opening(), *Trainer(run="other").opening())
    catalogue = Catalogue(store)
    keys = [Key(run, Trainer(run=run).attempt, 0, 1) for run in ("one", "other")]

    one, other = map(catalogue.layout, keys)

    assert one is not None
    assert other is not None
    assert other.schema.rows is one.schema.rows


def test_schema_that_is_read_by_its_bulk_is_the_schema() -> None:
    raw = Trainer(run="one").opening()[1]
    told = wire.decode(raw)[0]

    first, again = Layout.read(raw), Layout.read(raw)

    assert first is not None
    assert again is not None
    assert first.schema == again.schema == told
    assert {*_Told.__struct_fields__} == {*wire.Schema.__struct_fields__}
