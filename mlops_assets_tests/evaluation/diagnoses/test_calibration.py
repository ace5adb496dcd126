from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.evaluation.diagnoses.calibration import NULL_LEVEL, examine
from mlops_assets.evaluation.diagnoses.calibration_null import (
    bin_events,
    errors_of,
    null_bins,
    null_bins_by_group,
    null_errors,
    togetherness,
)
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.model.temperature_scaling import fit_temperature, rescale
from mlops_assets_tests.evaluation.subjects import Classifier, Labeller, measures, subject_of, values

shares = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(np.array)


def calibrated(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    stated = rng.uniform(size=rows)
    return stated, rng.uniform(size=rows) < stated


def doubled(stated: np.ndarray) -> np.ndarray:
    """Twice the logits."""
    return stated**2 / (stated**2 + (1 - stated) ** 2)


def pairs(stated: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - stated, stated])


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    stated, happened = calibrated(rows, seed)
    return pd.DataFrame({"p": stated, "goal": happened.astype(int)})


@pytest.mark.parametrize(
    ("rows", "mean", "bound", "within"),
    [(100, 0.121, 0.167, 0.007), (500, 0.054, 0.074, 0.002), (1000, 0.039, 0.052, 0.001), (5000, 0.017, 0.023, 0.0005)],
)
def test_the_calibration_error_of_a_perfect_model(rows: int, mean: float, bound: float, within: float) -> None:
    """Section 7's table, from fresh labels and from the null of one sample."""
    found = np.array([bin_events(*calibrated(rows, seed)).ece for seed in range(600)])
    # Three standard errors of a simulation, and the table's rounding.
    assert found.mean() == pytest.approx(mean, abs=3 * found.std() / 600**0.5 + 0.0005)
    assert np.quantile(found, 0.95) == pytest.approx(bound, abs=9 * found.std() / 600**0.5 + 0.0005)
    null = null_errors(calibrated(rows)[0])
    assert null.mean() == pytest.approx(mean, abs=within)
    assert np.quantile(null, NULL_LEVEL) == pytest.approx(bound, abs=1.5 * within)


def test_the_null_of_many_rows() -> None:
    null = null_errors(calibrated(50_000)[0], draws=1000)
    assert (null.mean(), np.quantile(null, 0.95)) == pytest.approx((0.0055, 0.0075), abs=0.0002)


def test_doubled_logits_are_found_and_mended() -> None:
    stated, happened = calibrated(200_000, seed=1)
    over = doubled(stated)
    assert np.mean((stated - happened) ** 2) == pytest.approx(1 / 6, abs=0.001)
    assert np.mean((over - happened) ** 2) == pytest.approx(0.178, abs=0.001)
    assert bin_events(over, happened).ece == pytest.approx(0.097, abs=0.001)
    found = fit_temperature(pairs(over), happened.astype(int))
    assert found == pytest.approx(2, abs=0.1)
    assert found and bin_events(rescale(pairs(over), found)[:, 1], happened).ece < 0.005
    assert fit_temperature(pairs(stated), happened.astype(int)) == pytest.approx(1, abs=0.02)


def test_temperature_of_several_classes() -> None:
    rng = np.random.default_rng(1)
    stated = rng.dirichlet([1, 1, 1, 1], 20_000)
    truth = (rng.uniform(size=(20_000, 1)) > stated.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(rescale(stated, 1 / 3), truth) == pytest.approx(3, abs=0.1)
    assert fit_temperature(rescale(stated, 2), truth) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("stated", "truth"),
    [
        ([0.2, 0.4, 0.7, 0.9], [0, 0, 1, 1]),  # every row is right: the surer the better
        ([0.2, 0.4, 0.7, 0.9], [1, 1, 0, 0]),  # every row is wrong: the opposite is best
        ([0.5, 0.5, 0.5], [0, 1, 1]),
    ],
)
def test_some_probabilities_have_no_temperature(stated: list[float], truth: list[int]) -> None:
    assert fit_temperature(pairs(np.array(stated)), np.array(truth)) is None


def test_a_certain_and_wrong_row_does_not_break_the_temperature() -> None:
    stated, happened = calibrated(2000)
    found = fit_temperature(pairs(np.append(stated, 0.0)), np.append(happened, 1).astype(int))
    assert found and 1 < found < 2


def test_the_null_is_the_distribution_of_the_labels() -> None:
    """Mean and variance of each bin's events are those of independent rows."""
    stated = np.random.default_rng(2).beta(0.5, 2, 3000)
    drawn, bins = null_bins(stated, draws=8000), bin_events(stated, stated)
    variance = bin_events(stated, stated * (1 - stated)).observed
    assert drawn.mean(axis=0) == pytest.approx(bins.stated, abs=5 * np.sqrt(variance.max() / 8000))
    assert drawn.var(axis=0) == pytest.approx(variance, rel=0.08)


def test_chance_exceeds_its_bound_at_the_stated_rate() -> None:
    exceeding = 0
    for seed in range(500):
        stated, happened = calibrated(200, seed)
        exceeding += bin_events(stated, happened).ece > np.quantile(null_errors(stated, 400, seed), NULL_LEVEL)
    assert 0.03 <= exceeding / 500 <= 0.07


@given(stated=shares, data=st.data())
@settings(max_examples=60, deadline=None)
def test_parts_add_up_and_errors_are_shares(stated: np.ndarray, data: Any) -> None:
    happened = np.array(data.draw(st.lists(st.booleans(), min_size=len(stated), max_size=len(stated))))
    found = bin_events(stated, happened)
    reliability, resolution, uncertainty = found.brier_parts
    assert len(found.rows) == 15 and found.rows.sum() == len(stated)
    assert 0 <= found.ece <= 1 + 1e-12
    # Jensen: the squared mean gap is no more than the mean squared gap.
    assert found.ece**2 <= reliability + 1e-12
    assert -1e-12 <= resolution <= uncertainty + 1e-12
    order = np.random.default_rng(0).permutation(len(stated))
    assert bin_events(stated[order], happened[order]).ece == pytest.approx(found.ece)


def test_parts_are_the_brier_score_of_discrete_forecasts() -> None:
    stated = np.repeat([0.1, 0.5, 0.9], [50, 30, 20])
    happened = np.random.default_rng(3).uniform(size=100) < 0.4
    reliability, resolution, uncertainty = bin_events(stated, happened).brier_parts
    assert reliability - resolution + uncertainty == pytest.approx(np.mean((stated - happened) ** 2))


@pytest.mark.parametrize("inverted", [False, True])
def test_a_calibrated_model_is_within_chance(inverted: bool) -> None:
    # One sample in twenty is beyond its bound (seed 0 is): the rate is tested above, here is an ordinary one.
    test, validation = frame(3000, seed=2), frame(2000, seed=1)
    found = examine(subject_of(Classifier(lambda rows: rows["p"]), test, validation, positive=0 if inverted else 1))
    by_name = values(found)
    assert list(by_name) and set(by_name) == set(DIAGNOSES["calibration"].measures)
    assert by_name["ece_excess"] < 0 and by_name["ece_null_p"] > 0.05
    assert by_name["temperature"] == pytest.approx(1, abs=0.15)
    assert by_name["brier_uncertainty"] == pytest.approx(0.25, abs=0.001)
    assert "within chance" in found.headline
    assert sum(row[1] for row in found.tables[0].rows) == 3000  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_an_overconfident_model_is_beyond_chance_and_its_temperature_helps() -> None:
    test, validation = frame(3000), frame(2000, seed=1)
    found = examine(subject_of(Classifier(lambda rows: doubled(rows["p"].to_numpy())), test, validation))
    by_name = measures(found)
    assert by_name["ece_excess"].value == pytest.approx(0.07, abs=0.02)
    assert by_name["ece_null_p"].value == pytest.approx(1 / 1001)
    assert by_name["temperature"].value == pytest.approx(2, abs=0.2) and by_name["temperature"].rows == 2000
    assert "beyond chance" in found.headline
    before, after = found.tables[1].rows
    assert after[1] < before[1] / 2 and after[2] < before[2]  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]


def test_several_classes_are_judged_by_the_top_label() -> None:
    rng = np.random.default_rng(4)
    stated = rng.dirichlet([0.5, 0.5, 0.5], 2000)
    truth = (rng.uniform(size=(2000, 1)) > stated.cumsum(axis=1)).sum(axis=1)
    test = pd.DataFrame(stated, columns=pd.Index(["a", "b", "c"])).assign(goal=truth)
    names = ["a", "b", "c"]
    right = values(examine(subject_of(Classifier(lambda rows: rows[names], 3), test)))
    over = values(examine(subject_of(Classifier(lambda rows: rescale(rows[names].to_numpy(), 0.3), 3), test)))
    assert right["ece_excess"] < 0 < over["ece_excess"]


@pytest.mark.parametrize(
    ("model", "rows", "note"),
    [
        (Labeller(lambda rows: rows["p"]), 100, "gives no probabilities"),
        (Classifier(lambda rows: rows["p"]), 29, "29 rows, 30 are needed"),
        (Classifier(lambda rows: rows["p"]), 0, "0 rows"),
    ],
)
def test_what_cannot_be_judged_has_no_value(model: Any, rows: int, note: str) -> None:
    test = frame(rows) if rows else frame(5).iloc[:0]
    model_of_none = model if rows else Classifier(lambda _: np.empty((0, 2)))
    found = subject_of(model_of_none, test)
    assert all(one.value is None and note in one.note for one in examine(found).measures)


def test_without_validation_rows_only_the_temperature_is_missing() -> None:
    by_name = measures(examine(subject_of(Classifier(lambda rows: rows["p"]), frame(200))))
    assert by_name.pop("temperature").note == "0 validation rows, 30 are needed"
    assert all(one.value is not None for one in by_name.values())


def test_ordinary_oddities_do_not_raise() -> None:
    test = frame(50)
    for rule in (
        lambda rows: np.zeros(len(rows)),
        lambda rows: (rows["p"] > 0.5) * 1.0,
        lambda rows: rows["p"] * 0 + 0.5,
    ):
        found = values(examine(subject_of(Classifier(rule), test.assign(goal=1), test)))
        assert found["ece"] is not None and found["brier_uncertainty"] == 0


def test_equal_seeds_give_equal_diagnoses() -> None:
    subject = subject_of(Classifier(lambda rows: rows["p"]), frame(300), frame(100, 1))
    assert examine(subject) == examine(subject)


def grouped(rng: np.random.Generator, groups: int, size: int, together: bool) -> tuple[np.ndarray, ...]:
    """Probabilities that all come true, of rows in groups whose events fall together or each on its own."""
    who = np.repeat(np.arange(groups), size)
    stated = rng.uniform(0.05, 0.95, groups)[who]
    luck = rng.uniform(size=groups)[who] if together else rng.uniform(size=groups * size)
    return stated, luck < stated, who


@pytest.mark.parametrize(("groups", "together"), [(60, True), (200, True), (200, False)])
def test_calibrated_groups_are_beyond_chance_no_more_often_than_stated(groups: int, together: bool) -> None:
    rng, runs, by_row, by_group = np.random.default_rng(groups), 200, 0, 0
    for run in range(runs):
        stated, happened, who = grouped(rng, groups, 10, together)
        ece = bin_events(stated, happened).ece
        nulls = null_bins(stated, 400, run), null_bins_by_group(stated, happened, who, 400, run)
        bounds = [np.quantile(errors_of(null, bin_events(stated, happened)), 0.95) for null in nulls]
        by_row, by_group = by_row + (ece > bounds[0]), by_group + (ece > bounds[1])
    assert by_group / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert not together or by_row / runs > 0.9, "rows drawn one by one would be surprised"


def test_miscalibrated_groups_are_found() -> None:
    rng = np.random.default_rng(1)
    stated, happened, who = grouped(rng, 200, 10, together=True)
    sure = np.where(stated > 0.5, 0.5 + stated / 2, stated / 2)
    null = null_bins_by_group(sure, happened, who, 400)
    assert bin_events(sure, happened).ece > np.quantile(errors_of(null, bin_events(sure, happened)), 0.95)


@pytest.mark.parametrize(("share", "near"), [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_how_far_events_fall_together_is_found(share: float, near: float) -> None:
    """Rows follow their group's draw with this probability, two of them with its square."""
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(2_000), 10)
    stated = rng.uniform(size=len(who))
    luck = np.where(rng.random(len(who)) < share, rng.random(2_000)[who], rng.random(len(who)))
    assert togetherness(stated, luck < stated, who) == pytest.approx(near, abs=0.03)


def test_rows_that_each_are_a_group_do_not_fall_together() -> None:
    stated, happened = calibrated(100)
    assert togetherness(stated, happened, np.arange(100)) == 0


@pytest.mark.parametrize(("groups", "compared"), [(19, False), (40, True)])
def test_few_groups_are_not_compared_with_chance(groups: int, compared: bool) -> None:
    rng = np.random.default_rng(2)
    stated, happened, who = grouped(rng, groups, 10, together=True)
    rows = pd.DataFrame({"p": stated, "goal": happened.astype(int), "@patient": who})
    found = examine(subject_of(Classifier(lambda given: given["p"].to_numpy()), rows, group="patient"))
    assert (values(found)["ece_excess"] is not None) is compared
    assert values(found)["ece"] is not None
    assert ("not compared with chance" in found.headline) is not compared
