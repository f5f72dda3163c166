"""The labelled table of the newest statistics."""

import numpy as np
import pytest

from gainstage.frame import Table
from gainstage.statistics import IDS, INDEX


def table() -> Table:
    values = np.zeros((2, len(IDS)), np.float32)
    exists = np.ones((2, len(IDS)), bool)
    values[1, INDEX["pre_rms"]] = 94.25
    values[1, INDEX["pre_mean"]] = np.nan
    exists[0, INDEX["bias_rms"]] = False
    return Table(7, ("hidden", "classes"), values, exists)


def test_statistic_of_a_layer_is_found_by_its_names() -> None:
    assert table()["classes", "pre_rms"] == 94.25


def test_value_that_was_nan_is_told_apart_from_one_that_does_not_exist() -> None:
    assert np.isnan(table()["classes", "pre_mean"])
    assert table()["hidden", "bias_rms"] is None


@pytest.mark.parametrize(
    ("layer", "statistic", "expected"),
    [("hiden", "pre_rms", "hidden, classes"), ("hidden", "pre_rns", "pre_rms")],
)
def test_unknown_name_is_refused_with_the_known_ones(
    layer: str, statistic: str, expected: str
) -> None:
    with pytest.raises(KeyError, match=expected):
        table()[layer, statistic]
