import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mlops_assets.comparison.mcnemar import Discordance

KNOWN = Discordance(ours=121, theirs=59, rows=101 + 121 + 59 + 33)


def test_the_tests_give_the_known_values() -> None:
    assert KNOWN.exact_p == pytest.approx(4.43445e-6, rel=2e-6)
    assert KNOWN.chi_squared(continuity=True) == pytest.approx((20.67222, 5.45009e-6), rel=1e-6)
    assert KNOWN.chi_squared() == pytest.approx((21.35556, 3.81514e-6), rel=2e-6)


def test_the_interval_is_walds_after_half_a_row_in_each_cell() -> None:
    ours, theirs, rows = 121.5, 59.5, 316
    centre = (ours - theirs) / rows
    error = ((ours + theirs - (ours - theirs) ** 2 / rows) ** 0.5) / rows
    z = float(norm.isf(0.025))
    assert KNOWN.interval(0.95) == pytest.approx((centre - z * error, centre + z * error))


def test_without_discordance_nothing_is_shown_and_something_left_open() -> None:
    none = Discordance(0, 0, 50)
    assert (none.share, none.exact_p, none.chi_squared(True)) == (0, 1, (0, 1))
    low, high = none.interval(0.95)
    assert low == -high
    assert 0.01 < high < 0.1


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
def test_interval_and_exact_test_never_contradict(ours: int, theirs: int, others: int) -> None:
    found = Discordance(ours, theirs, ours + theirs + others + 5)
    low, high = found.interval(0.95)
    assert -1 <= low <= found.share <= high <= 1
    if low > 0 or high < 0:
        assert found.exact_p < 0.05
    mirrored = Discordance(theirs, ours, found.rows)
    assert mirrored.interval(0.95) == pytest.approx((-high, -low))
    assert mirrored.exact_p == pytest.approx(found.exact_p)


def test_five_rows_to_none_are_too_few_and_six_enough() -> None:
    assert Discordance(5, 0, 100).exact_p == pytest.approx(0.0625)
    assert Discordance(5, 0, 100).interval(0.95)[0] == 0
    assert Discordance(6, 0, 100).exact_p == pytest.approx(0.03125)
    assert Discordance(6, 0, 100).interval(0.95)[0] > 0
