"""Every diagnosis drawn: the plot shows the numbers of its table, and where a gate sets a bound also that."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.diagnoses import (
    calibration,
    conformal,
    consistency,
    efficiency,
    fairness,
    residuals,
    robustness,
    slices,
)
from mlops_assets.evaluation.diagnoses.disparities import Counts, group_rows
from mlops_assets.evaluation.diagnoses.fairness import group_rates
from mlops_assets.evaluation.diagnosis import Diagnosis, Subject
from mlops_assets.evaluation.report.plots.diagnosis_plots import diagnosis_plots
from mlops_assets.evaluation.report.plots.forest import ForestLine, Guide, forest
from mlops_assets.evaluation.report.report import Report
from mlops_assets.model.prediction_intervals import Intervals
from mlops_assets.verdict import Verdict
from mlops_assets_tests.evaluation.conftest import Case
from mlops_assets_tests.evaluation.subjects import Classifier, Regressor, subject_of


@pytest.fixture(scope="module")
def report(regression: Case) -> Report:
    return regression.declared(diagnoses=[], resamples=200).report()


@pytest.fixture(scope="module")
def values() -> Subject:
    """Noise five times as large, and too much predicted, on the upper side; 1,000 rows."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 4, 1000)
    upper = x > 3
    goal = x - 0.5 * upper + np.where(upper, 0.5, 0.1) * rng.normal(size=1000)
    rows = pd.DataFrame({"x": x, "goal": goal, "@side": np.where(upper, "upper", "lower")})
    intervals = Intervals(coverage=0.9, sets="least_ambiguous", by="none", rows=500, threshold=0.3)
    found = subject_of(Regressor(lambda given: given["x"].fillna(2)), rows, monotone={"x": "increasing"})
    return replace(found, intervals=intervals)


@pytest.fixture(scope="module")
def classes() -> Subject:
    """Stated probabilities are too sure; group b is selected half as often as a."""
    rng = np.random.default_rng(4)
    group = np.where(np.arange(1200) % 3 == 0, "b", "a")
    true = np.where(group == "a", 0.6, 0.4) + rng.uniform(-0.3, 0.3, 1200)
    stated = np.clip(0.5 + 2 * (true - 0.5), 0.01, 0.99)
    rows = pd.DataFrame({"p": stated, "goal": (rng.uniform(size=1200) < true).astype(int), "@group": group})
    return subject_of(Classifier(lambda given: given["p"].fillna(0.5)), rows)


def drawn(found: Diagnosis, report: Report, *gates: Verdict) -> dict[str, ElementTree.Element]:
    plots = diagnosis_plots(found, report.model_copy(update={"gates": [*gates]}))
    for title, svg in plots:
        root = ElementTree.fromstring(svg)
        texts = {child.tag.rpartition("}")[2]: child.text for child in root}
        assert texts["title"] == title
        assert len(texts["desc"] or "") > 20
        assert root.get("aria-label") == f"{title}. {texts['desc']}"
        assert not re.search(r"\bnan\b|\binf\b|None", svg)
        assert len(svg) < 30_000
    return {title: ElementTree.fromstring(svg) for title, svg in plots}


def parts(root: ElementTree.Element, name: str, **attributes: str) -> list[ElementTree.Element]:
    found = [part for part in root.iter() if part.tag.rpartition("}")[2] == name]
    return [part for part in found if all(value in (part.get(key) or "") for key, value in attributes.items())]


def told(root: ElementTree.Element) -> str:
    return " | ".join("".join(part.itertext()) for part in root if part.tag.rpartition("}")[2] in ("desc", "text"))


def gate(name: str, bound: float) -> Verdict:
    return Verdict(name=name, outcome="passed", bound=bound, side="at_most")


def test_residuals_are_drawn_against_a_normal_distribution_and_by_prediction(values: Subject, report: Report) -> None:
    found = residuals.examine(values)
    plots = drawn(found, report)
    assert list(plots) == ["Normal Q–Q of the errors", "Mean error by predicted value"]
    quantiles, segments = found.tables[2].rows, found.tables[1].rows
    assert len(parts(plots["Normal Q–Q of the errors"], "circle")) == len(quantiles) == 27
    assert len(parts(plots["Mean error by predicted value"], "line", **{"class": "whisker"})) == 0
    assert len(parts(plots["Mean error by predicted value"], "polyline", stroke="#1f6feb")) == len(segments)
    assert len(parts(plots["Mean error by predicted value"], "polyline", **{"class": "whisker"})) == len(segments)


def test_quantiles_of_normal_errors_lie_on_those_of_a_normal_distribution() -> None:
    from scipy.stats import norm

    errors = 2 + 3 * norm.ppf((np.arange(5000) + 0.5) / 5000)
    rows = pd.DataFrame({"x": np.linspace(0, 9, 5000), "goal": np.linspace(0, 9, 5000) - errors})
    table = residuals.examine(subject_of(Regressor(lambda given: given["x"]), rows)).tables[2]
    assert [row[0] for row in table.rows][:3] == [0.001, 0.005, 0.01]
    seen, normal = (np.array([row[place] for row in table.rows], dtype=float) for place in (1, 2))
    assert seen[1:-1] == pytest.approx(normal[1:-1], abs=0.02)
    assert normal[len(normal) // 2] == pytest.approx(2)


def test_few_errors_have_no_extreme_quantiles() -> None:
    rows = pd.DataFrame({"x": np.arange(40.0), "goal": np.arange(40.0) % 7})
    table = residuals.examine(subject_of(Regressor(lambda given: given["x"]), rows)).tables[2]
    assert table.rows[0][0] == 0.025
    assert table.rows[-1][0] == 0.975


def test_loss_is_drawn_as_two_curves_with_the_gates_bounds(values: Subject, report: Report) -> None:
    found = robustness.examine(values)
    plain = drawn(found, report)["Loss under perturbation"]
    bound = gate("robustness_noise_10_at_most", 0.1)
    bounded = drawn(found, report, bound, gate("robustness_missing_10_at_most_interval", 0.15))
    root = bounded["Loss under perturbation"]
    assert len(parts(root, "polyline", stroke="#")) == 2
    assert "gate, noise on numbers: at most 0.1" in told(root)
    assert "gate, empty cells: at most 0.15" in told(root)
    assert len(parts(root, "line", stroke="#b3261e")) == 2
    assert "gate" not in told(plain)
    curve = {(row[0], row[1]): row[3] for row in found.tables[0].rows}
    loss = curve["missing", 0.2]
    assert isinstance(loss, float)
    assert f"{100 * loss:.1f} % at 20 %" in told(root)


def test_reliability_shows_every_bin_with_its_rows_and_tells_those_beyond_chance(
    classes: Subject, report: Report
) -> None:
    found = calibration.examine(classes)
    root = drawn(found, report)["Reliability"]
    bins = found.tables[0].rows
    beyond = [row for row in bins if not row[4] <= row[3] <= row[5]]  # pyright: ignore[reportOperatorIssue]
    assert len(beyond) >= 3
    assert len(parts(root, "path", fill="#d1495b")) == len(beyond)
    assert len(parts(root, "circle")) == len(bins) - len(beyond)
    assert all(f"{row[1]:,}" in told(root) for row in bins)
    assert f"{len(beyond)} bins lie beyond it" in told(root)


def test_coverage_is_drawn_against_what_is_stated(values: Subject, report: Report) -> None:
    found = conformal.examine(values)
    root = drawn(found, report)["Coverage by segment"]
    assert "stated 0.900" in told(root)
    segments = found.tables[0].rows
    under = [row for row in segments if row[4] < 0.9]  # pyright: ignore[reportOperatorIssue]
    assert under
    assert len(parts(root, "path", fill="#d1495b")) == len(under)
    assert told(root).count(" under-covered, ") == len(under)
    assert "all test rows" in told(root)


def test_slices_are_drawn_with_the_worse_ones_flagged(values: Subject, report: Report) -> None:
    found = slices.examine(values)
    root = drawn(found, report, gate("slices_worst_gap_at_most", 0.25))["Gap of each slice"]
    worse = [row for row in found.tables[0].rows if row[-1] == "worse"]
    assert worse
    assert len(parts(root, "path", fill="#d1495b")) == told(root).count(" | worse, ") == len(worse)
    assert "side = 'upper'" in told(root)
    assert "gate: at most 0.25" in told(root)


def test_rates_of_every_group_are_drawn_with_their_intervals(classes: Subject, report: Report) -> None:
    found = fairness.examine(classes, fairness.FairnessSpec(protected=["group"]))
    plots = drawn(found, report)
    rates = ["Selection rate by group", "True positive rate by group", "False positive rate by group"]
    assert list(plots) == rates
    for root in plots.values():
        assert len(parts(root, "circle")) == len(parts(root, "line", **{"class": "whisker"})) == 2
    plain = {(row[0], row[1]): row[3] for row in found.tables[0].rows}
    for rate, column, group, of, value, low, high in found.tables[1].rows:
        assert isinstance(value, float)
        assert low <= value <= high  # pyright: ignore[reportOperatorIssue]
        if rate == "selection rate":
            assert value == plain[column, group]
            assert of == (400 if group == "b" else 800)


def test_a_group_without_rows_of_a_class_has_no_rate() -> None:
    counts = Counts([group_rows("sex", ["f"] * 4, 1)], np.zeros(4, dtype=bool), np.array([True, False, False, False]))
    rows = group_rates(counts, None, 0.95).rows
    assert [row[3:5] for row in rows] == [[4, 0.25], [0, None], [4, 0.25]]


def test_rows_that_come_together_widen_a_groups_interval() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(50), 8)
    selected = rng.uniform(size=50)[clusters] < 0.5
    counts = Counts([group_rows("sex", ["f"] * 400)], np.ones(400, dtype=bool), selected)
    apart, together = (group_rates(counts, one, 0.95).rows[0] for one in (None, clusters))
    assert together[6] - together[5] > 2 * (apart[6] - apart[5])  # pyright: ignore[reportOperatorIssue]


def test_declared_directions_are_drawn(values: Subject, report: Report) -> None:
    found = consistency.examine(values)
    bound = gate("consistency_monotone_violations_at_most", 0.05)
    root = drawn(found, report, bound)["Steps against the declared directions"]
    assert "x (increasing)" in told(root)
    assert "gate: at most 0.05" in told(root)


@pytest.mark.slow
def test_times_of_one_prediction_are_drawn_with_their_bound(values: Subject, report: Report) -> None:
    found = efficiency.examine(values, efficiency.EfficiencySpec(calls=100, warm_up=1, repeats=1))
    root = drawn(found, report, gate("efficiency_latency_p95_ms_at_most", 100))["Time of one prediction"]
    assert len(parts(root, "circle")) == 3
    assert "gate: 95th percentile at most 100" in told(root)


def test_a_diagnosis_without_numbers_has_no_plot(classes: Subject, report: Report) -> None:
    empty = replace(classes, test=classes.test.iloc[:0])
    assert diagnosis_plots(conformal.examine(empty), report) == []
    assert diagnosis_plots(calibration.examine(replace(classes, test=classes.test.iloc[:5])), report) == []
    assert diagnosis_plots(Diagnosis(name="another", title="Another", headline="", measures=[]), report) == []


def test_the_errors_are_drawn_with_the_bias_of_each_tenth(regression: Case) -> None:
    from mlops_assets.evaluation.report.plots.model_plots import residual_plot

    plain, found = (regression.declared(diagnoses=names).report() for names in ([], ["residuals"]))
    steps = [parts(ElementTree.fromstring(residual_plot(one)), "polyline", stroke="#c77700") for one in (plain, found)]
    assert [len(one) for one in steps] == [0, 10]


def test_a_forest_keeps_its_first_lines_and_cuts_long_names() -> None:
    lines = [ForestLine(f"{index} {'x' * 300}", index / 10, (index / 10, index / 5)) for index in range(25)]
    root = ElementTree.fromstring(forest("Many", "Twenty-five lines", "value", lines, [Guide(0.5, "half")]))
    assert len(parts(root, "circle")) == 20
    assert max(len(part.text or "") for part in parts(root, "text")) < 50
