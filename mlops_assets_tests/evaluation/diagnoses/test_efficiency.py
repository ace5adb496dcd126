import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from mlops_assets.evaluation.diagnoses import efficiency
from mlops_assets.evaluation.diagnoses import footprint as footprint_module
from mlops_assets.evaluation.diagnoses.efficiency import EfficiencySpec, examine, single_row_rounds, throughput
from mlops_assets.evaluation.diagnoses.footprint import footprint
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets_tests.evaluation.conftest import Case

ROWS = pd.DataFrame({"x": range(5)})


class Stopwatch:
    """A clock that moves only while something is predicted, by a time for each call."""

    def __init__(self, seconds: list[float]) -> None:
        self.now, self.seconds, self.seen = 0.0, seconds, []

    def __call__(self) -> float:
        return self.now

    def predict(self, rows: pd.DataFrame) -> None:
        self.now += self.seconds[len(self.seen) % len(self.seconds)]
        self.seen.append(rows["x"].tolist())


class Timed:
    """A fitted pipeline whose predictions take what the stopwatch says."""

    def __init__(self, pipeline: BaseEstimator, watch: Stopwatch) -> None:
        self.pipeline, self.watch = pipeline, watch

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        self.watch.predict(rows.assign(x=0))
        return self.pipeline.predict(rows)  # pyright: ignore[reportAttributeAccessIssue]


class Untrusted(RegressorMixin, BaseEstimator):
    """Of a type that no declaration names."""

    def fit(self) -> "Untrusted":
        return self

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return np.zeros(len(rows))


def subject_of(case: Case) -> Subject:
    return Subject(case.spec, case.features, case.pipeline, case.rows, case.rows.iloc[:0], case.predictions)


def test_warm_up_is_not_timed_and_rows_are_taken_in_turn():
    watch = Stopwatch([9, 9, 1, 2, 3, 4, 5, 6])
    (times,) = single_row_rounds(watch.predict, ROWS, EfficiencySpec(calls=6, rounds=1, warm_up=2, seconds=100), watch)
    assert times.tolist() == [1, 2, 3, 4, 5, 6]
    assert watch.seen == [[0], [1], [0], [1], [2], [3], [4], [0]]


def test_timing_stops_after_its_seconds():
    watch = Stopwatch([1])
    (times,) = single_row_rounds(watch.predict, ROWS, EfficiencySpec(warm_up=0, seconds=7), watch)
    assert len(times) == 7


def busy(calls: int, *slowness: float) -> Stopwatch:
    """A model of 10 ms, on a machine that is so much slower in each round of ``calls``."""
    return Stopwatch([0.01 * factor for factor in slowness for _ in range(calls)])


def test_rounds_end_when_the_two_fastest_agree():
    options = EfficiencySpec(calls=20, rounds=5, warm_up=0, seconds=100)
    for slowness, rounds in {(1, 1.05, 9): 2, (4, 1, 7, 1.05, 9): 4, (1, 2, 4, 8, 16, 1): 5, (3, 3, 1): 2}.items():
        watch = busy(20, *slowness)
        assert len(single_row_rounds(watch.predict, ROWS, options, watch)) == rounds


def test_a_busy_machine_does_not_make_a_model_slow(regression: Case):
    """Three of four rounds are disturbed; the percentiles are those of the fourth, and p99 that of all calls."""
    watch = busy(50, 20, 12, 1, 30)
    subject = replace(subject_of(regression), pipeline=Timed(regression.pipeline, watch))
    found = examine(subject, EfficiencySpec(rounds=4, warm_up=0, repeats=1, seconds=1000), watch)
    by_name = {measure.name: measure for measure in found.measures}
    assert by_name["latency_p50_ms"].value == by_name["latency_p95_ms"].value == pytest.approx(10)
    assert by_name["latency_p95_ms"].note == "fastest of 4 rounds of 50 calls" and by_name["latency_p95_ms"].rows == 200
    assert by_name["latency_p99_ms"].value == pytest.approx(300)
    assert f"{len(os.sched_getaffinity(0))} cores" in found.notes[0] and "rounds of 50 calls" in found.notes[0]


def test_throughput_is_the_median_of_its_repeats():
    watch = Stopwatch([100, 2, 1, 50])
    assert throughput(watch.predict, ROWS, 10, repeats=3, clock=watch) == 5
    assert watch.seen[0] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert throughput(Stopwatch([0]).predict, ROWS, 10, clock=watch) is None


def test_percentiles_need_calls(classification: Case):
    found = examine(subject_of(classification), EfficiencySpec(calls=20, rounds=1, warm_up=1, repeats=1))
    by_name = {measure.name: measure for measure in found.measures}
    assert list(by_name) == list(efficiency.INFO.measures)
    assert by_name["latency_p95_ms"].value is not None
    assert by_name["latency_p99_ms"].value is None
    assert by_name["latency_p99_ms"].note.endswith("100 are needed")


def test_a_fitted_pipeline_is_timed_and_its_artefact_weighed(regression: Case):
    found = examine(subject_of(regression), EfficiencySpec(calls=100))
    assert all(measure.rows >= 30 for measure in found.measures), "a gate on any of them needs 30 rows"
    value = {measure.name: measure.value or 0.0 for measure in found.measures}
    assert 0.01 < value["latency_p50_ms"] <= value["latency_p95_ms"] <= value["latency_p99_ms"] < 10_000
    assert value["throughput_1000"] > value["throughput_100"] > value["throughput_10"] > 0
    assert value["throughput_1000"] > 1000 / value["latency_p50_ms"]  # a batch is faster than its rows one by one
    assert 0.0005 < value["artefact_mb"] < 0.1
    assert 0.1 < value["load_ms"] < 10_000
    assert 50 < value["peak_memory_mb"] < 2_000  # interpreter, pandas and scikit-learn
    assert [row[0] for row in found.tables[0].rows] == ["10", "100", "1000"]
    assert f"{len(os.sched_getaffinity(0))} cores" in found.notes[0]
    assert "of it were held before loading" in found.notes[1]


@pytest.mark.slow
def test_a_larger_model_takes_more(regression: Case):
    from sklearn.ensemble import ExtraTreesRegressor

    inputs = regression.rows.loc[:, regression.features.names]
    small, large = (
        footprint(ExtraTreesRegressor(trees).fit(inputs, regression.rows["goal"]), inputs, (), repeats=1)
        for trees in (1, 100)
    )
    assert large.size > 50 * small.size
    assert large.load_seconds > small.load_seconds
    assert large.peak - large.base > small.peak - small.base + large.size


def test_an_artefact_that_no_server_may_load_is_not_weighed(regression: Case):
    found = examine(replace(subject_of(regression), pipeline=Untrusted().fit()), EfficiencySpec(calls=30, rounds=1))
    by_name = {measure.name: measure for measure in found.measures}
    assert by_name["latency_p95_ms"].value is not None
    for name in ("artefact_mb", "load_ms", "peak_memory_mb"):
        assert by_name[name].value is None and "holds types that are not trusted" in by_name[name].note


def test_a_process_that_fails_says_so(regression: Case, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(footprint_module, "LONGEST_SECONDS", 0.01)
    found = examine(subject_of(regression), EfficiencySpec(calls=1, rounds=1))
    assert found.measures[-1].note == "a fresh process did not predict within 0 s"


def test_gates_on_serving_are_judged(regression: Case):
    bounds = {"latency_p95_ms": 1000, "latency_p50_ms": 0.001, "artefact_mb": 1, "peak_memory_mb": 10}
    gates = [{"measure": f"efficiency.{name}", "at_most": bound} for name, bound in bounds.items()]
    report = regression.declared(gates=gates, diagnoses=[], resamples=200).report()
    assert [one.name for one in report.diagnoses] == ["preparation", "efficiency"]
    outcomes = {one.name: one.outcome for one in report.gates}
    assert outcomes["efficiency_latency_p95_ms_at_most"] == outcomes["efficiency_artefact_mb_at_most"] == "passed"
    assert outcomes["efficiency_latency_p50_ms_at_most"] == outcomes["efficiency_peak_memory_mb_at_most"] == "failed"


def test_no_rows_are_not_evaluated(regression: Case):
    rows = regression.rows.iloc[:0]
    empty = Subject(regression.spec, regression.features, regression.pipeline, rows, rows, regression.predictions)
    assert {measure.value for measure in examine(empty).measures} == {None}
