from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.dataset.profile import SAMPLE, bars, escaped, profile, to_markdown


def test_numbers_have_moments_quantiles_and_a_histogram():
    values = np.random.default_rng(0).normal(size=1000)
    [column] = profile(pl.DataFrame({"x": [*values, None, float("nan")]}), ["x"])
    assert (column.rows, column.sampled, column.missing, column.distinct) == (1002, None, 2, 1000)
    assert column.mean == pytest.approx(values.mean())
    assert column.sd == pytest.approx(values.std(ddof=1))
    assert column.quantiles is not None
    assert list(column.quantiles) == ["0", "0.05", "0.25", "0.5", "0.75", "0.95", "1"]
    assert list(column.quantiles.values()) == pytest.approx(np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]))
    assert column.histogram == np.histogram(values, 16)[0].tolist()


def test_texts_and_booleans_have_their_most_frequent_values():
    frame = pl.DataFrame({"t": ["b", "a", "b", None, "c"], "f": [True, True, None, False, True]})
    text, flag = profile(frame, ["t", "f"])
    assert text.top == [("b", 2), ("a", 1), ("c", 1)]
    assert flag.top == [("true", 3), ("false", 1)]
    assert (text.missing, text.distinct) == (1, 3)


def test_dates_have_a_range():
    [column] = profile(pl.DataFrame({"d": [date(2024, 1, 2), None, date(2023, 5, 6)]}), ["d"])
    assert column.range == ("2023-05-06", "2024-01-02")


def test_a_large_frame_is_sampled_evenly_and_says_so():
    profiles = profile(pl.DataFrame({"x": range(3 * SAMPLE)}), ["x"])
    assert (profiles[0].rows, profiles[0].sampled) == (3 * SAMPLE, SAMPLE)
    assert profiles[0].mean == pytest.approx(1.5 * SAMPLE, rel=0.01)
    assert to_markdown(profiles).endswith("Sampled: 100000 of 300000 rows.")


def test_a_frame_that_is_itself_a_sample_says_so():
    [column] = profile(pl.DataFrame({"x": [1, 2]}), ["x"], rows=500)
    assert (column.rows, column.sampled) == (500, 2)


@pytest.mark.parametrize("cells", [[], [None, None], [float("nan")], [1.7e308, -1.7e308], [5.0], [3.0, 3.0]])
def test_degenerate_columns_are_shown(cells: list):
    frame = pl.DataFrame({"x": cells}, schema={"x": pl.Float64})
    assert to_markdown(profile(frame, ["x"])).count("\n") == 2


def test_hostile_names_and_values_stay_text():
    frame = pl.DataFrame({"a|b": ["<script>alert(1)</script>", "[x](javascript:y)", "`|\n# h", "\u202eevil"]})
    shown = to_markdown(profile(frame, frame.columns))
    row = shown.splitlines()[2]
    assert len(shown.splitlines()) == 3
    assert row.count("|") == 7
    assert not any(mark in row for mark in ("<", "[", "`", "\u202e", "(java"))


@given(st.text())
def test_escaped_text_is_one_cell(text: str):
    shown = escaped(text)
    assert not set(shown) & set("|<>`*_[]\n\r")
    assert shown.isprintable()


def test_bars_show_every_bin_that_has_rows():
    assert bars([0, 1, 50, 100]) == " ▁▄█"
    assert bars([0, 0]) == "  "
