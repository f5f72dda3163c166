"""docs/matrix.md is of this code: its kinds, ways and backends, and no training that differs."""

from pathlib import Path

import pytest

from .cell import Result
from .kinds import KINDS
from .table import BACKENDS, MARKS, Cell, grids_on, kinds_on, page
from .ways import refused
from .whole import judged, ways

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"
HARMLESS = {mark.sign for mark in MARKS.values() if mark.harmless}
KIND = KINDS[0]
ALL = KIND.rows


def test_page_holds_every_kind_way_and_backend() -> None:
    text = PAGE.read_text()

    assert kinds_on(text) == [kind.name for kind in KINDS]
    grids = grids_on(text)
    assert set(grids) == set(BACKENDS)
    for grid in grids.values():
        assert list(grid) == [str(way) for _, way in ways()]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_training_on_the_page_differs_or_was_not_read(backend: str) -> None:
    grid = grids_on(PAGE.read_text())[backend]

    assert {sign for signs in grid.values() for sign in signs.values()} <= HARMLESS


# torch's loader makes lists of tuples, which Keras does not take on TensorFlow.
ALSO = {("tensorflow", "DataLoader", "two outputs")}


def test_page_leaves_out_what_is_known_not_to_train_and_nothing_else() -> None:
    known = {
        (backend, str(way), kind.name)
        for backend in BACKENDS
        for _, way in ways()
        for kind in KINDS
        if refused(way, backend)
    }

    left_out = {
        (backend, way, kind)
        for backend, grid in grids_on(PAGE.read_text()).items()
        for way, signs in grid.items()
        for kind, sign in signs.items()
        if sign == MARKS["refused"].sign
    }

    assert left_out == known | ALSO


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_read_back_from_the_page(mark: str) -> None:
    cells = [
        Cell("jax", kind.name, axis, str(way), mark if not place else "same", "for a reason")
        for place, (axis, way) in enumerate(ways()[:2])
        for kind in KINDS[:2]
    ]

    text = page(cells, "nothing")

    signs = {kind.name: MARKS[mark].sign for kind in KINDS[:2]}
    same = dict.fromkeys(signs, MARKS["same"].sign)
    assert grids_on(text) == {"jax": {"as usual": signs, "tf.data": same}}
    assert f"- `{MARKS[mark].sign}` {MARKS[mark].meaning}." in " ".join(text.split())
    assert "(all): for a reason." in text


@pytest.mark.parametrize(
    ("found", "mark", "why"),
    [
        (Result(3, ALL), "same", ""),
        (Result(3, ALL, ["losses"], ["losses", "weights"]), "repeats", "losses"),
        (Result(3, ALL, ["losses", "names"], ["losses"]), "differs", "names"),
        (Result(3, ALL - {"Dense"}), "unread", "no row of Dense"),
        (Result(0, ALL), "unread", "no frame"),
        (Result(3, ALL, complaints=["it failed"]), "unread", "it failed"),
        (Result(0, frozenset(), ["weights"]), "differs", "weights"),
    ],
)
def test_cell_is_the_same_only_where_nothing_differs_and_all_was_read(
    found: Result, mark: str, why: str
) -> None:
    assert judged(found, KIND) == (mark, why)
