import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.report.report import Report
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets_tests.evaluation.conftest import HOSTILE, Case


def test_a_report_holds_every_metric_beside_each_baseline(classification: Case) -> None:
    report = classification.report()
    assert report.metrics[0].name == "accuracy"
    assert {m.name for m in report.metrics} == {
        *("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "precision_weighted"),
        *("recall_macro", "recall_weighted"),
        *("matthews_corrcoef", "roc_auc", "average_precision", "log_loss", "brier_score"),
    }
    for metric in report.metrics:
        assert set(metric.baselines) == {"simple", "linear"}
        for found in (metric, *metric.baselines.values()):
            assert found.value is not None
            assert found.interval is not None
    assert report.baselines == ["simple", "linear"]


def test_a_classification_report_counts_its_classes(classification: Case) -> None:
    report = classification.report()
    counts = np.array(report.confusion)
    assert report.classes == sorted(HOSTILE)
    assert counts.sum() == report.test_rows == 150
    truth, predicted = classification.rows["goal"].to_numpy(), classification.predictions.values
    for i, j in np.ndindex(3, 3):
        assert counts[i, j] == ((truth == report.classes[i]) & (predicted == report.classes[j])).sum()
    assert (counts != counts.T).any()
    accuracy = report.metric("accuracy")
    assert accuracy is not None
    assert accuracy.value == pytest.approx(np.trace(counts) / 150)
    for index, row in enumerate(report.per_class):
        assert (row.support, row.predicted) == (counts[index].sum(), counts[:, index].sum())
        assert row.recall == pytest.approx(counts[index, index] / row.support)
        assert row.precision == pytest.approx(counts[index, index] / row.predicted)
    assert [curve.label for curve in report.roc] == report.classes
    assert all((curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1) for curve in report.roc)
    assert report.importance.features[0].feature == "length"


def test_the_area_under_each_drawn_curve_is_the_reported_one(classification: Case) -> None:
    report = classification.report()
    areas = [np.trapezoid(curve.y, curve.x) for curve in report.roc]
    found = report.metric("roc_auc")
    assert found is not None
    assert np.mean(areas) == pytest.approx(found.value, abs=1e-3)


def test_a_regression_report_draws_points_and_counts_errors_by_band(regression: Case) -> None:
    report = regression.report()
    assert len(report.points) == 150
    assert sum(band.rows for band in report.bands) == 150
    found = report.metric("mean_absolute_error")
    assert found is not None
    weighted = sum(band.mean_absolute_error * band.rows for band in report.bands) / 150
    assert weighted == pytest.approx(found.value)
    assert report.classes == []


def test_equal_inputs_give_equal_digests(classification: Case, regression: Case) -> None:
    for case in (classification, regression):
        assert case.report().digest == case.report().digest
    assert classification.report().digest != regression.report().digest


def test_another_seed_or_prediction_gives_another_digest(regression: Case) -> None:
    before = regression.report().digest
    moved = regression.predictions.values.copy()
    moved[0] += 1e-3
    assert replace(regression, predictions=Predictions(moved)).report().digest != before
    other = regression.spec.model_copy(update={"model": regression.spec.model.model_copy(update={"seed": 1})})
    assert replace(regression, spec=other).report().digest != before


def test_a_stored_report_reads_back_as_it_was(classification: Case) -> None:
    report = classification.report()
    text = report.to_json()
    read = Report.model_validate_json(text)
    assert read == report
    assert read.to_json() == text
    assert read.digest == report.digest == hashlib.sha256(text.encode()).hexdigest()
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_last_digits_of_a_sum_do_not_change_the_digest(regression: Case) -> None:
    report = regression.report()
    first = report.metrics[0]
    assert first.value is not None
    for change, same in ((1 + 1e-14, True), (1 + 1e-7, False)):
        moved = [first.model_copy(update={"value": first.value * change}), *report.metrics[1:]]
        assert (report.model_copy(update={"metrics": moved}).digest == report.digest) is same


def test_a_number_that_is_none_is_refused_as_json(classification: Case) -> None:
    report = classification.report()
    broken = report.model_copy(update={"confidence": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        broken.to_json()


def test_what_a_model_cannot_give_is_not_evaluated(classification: Case) -> None:
    silent = replace(classification, predictions=Predictions(classification.predictions.values))
    report = silent.report()
    found = report.metric("log_loss")
    assert found is not None
    assert (found.value, found.interval) == (None, None)
    assert found.baselines["simple"].value is not None
    assert report.roc == []
    assert any("Log loss" in note and "no probabilities" in note for note in report.notes)


@pytest.mark.parametrize(
    ("gates", "outcome"),
    [
        ([], "passed"),
        ([{"metric": "accuracy", "at_least": 0.5}], "passed"),
        ([{"metric": "accuracy", "at_least": 0.999}], "failed"),
        ([{"metric": "accuracy", "at_least": 0.999, "severity": "warn"}], "passed"),
        ([{"metric": "accuracy", "at_least": 0.5, "min_rows": 500}], "not evaluated"),
        (
            [{"metric": "accuracy", "at_least": 0.5, "min_rows": 500}, {"metric": "f1_macro", "at_least": 0.999}],
            "failed",
        ),
    ],
)
def test_the_outcome_is_that_of_the_blocking_gates(classification: Case, gates: list[dict], outcome: str) -> None:
    assert classification.declared(gates=gates, resamples=200).report().outcome == outcome


def test_a_group_column_widens_intervals_and_is_noted(regression: Case) -> None:
    rows = regression.rows.copy()
    rows["@site"] = np.digitize(rows["noise"], np.quantile(rows["noise"], np.linspace(0.05, 0.95, 19)))
    grouped = replace(regression, rows=rows, features=regression.features.model_copy(update={"group": "site"})).report()
    assert grouped.group == "site"
    assert any("it draws groups of equal 'site' with replacement" in note for note in grouped.notes)
    before, after = regression.report().metric("r2"), grouped.metric("r2")
    assert before is not None
    assert after is not None
    assert before.value == after.value
    assert before.interval != after.interval


def test_a_missing_group_column_is_an_error_with_a_remedy(regression: Case) -> None:
    case = replace(regression, features=regression.features.model_copy(update={"group": "patient"}))
    with pytest.raises(NotEvaluated, match=r"carry no column 'patient'\. Remedy: materialise the features again"):
        case.report()


def test_a_slice_gate_sees_its_rows_only(classification: Case) -> None:
    gates = [{"metric": "accuracy", "at_least": 0.1, "slice": {"column": "region", "equals": "south"}}]
    assert classification.declared(gates=gates, resamples=200).report().gates[0].rows == 45
