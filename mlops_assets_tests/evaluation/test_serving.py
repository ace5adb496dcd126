import numpy as np
import pandas as pd

from mlops_assets.evaluation import serving
from mlops_assets.evaluation.diagnosis import Subject
from mlops_assets.evaluation.serving import ServingSpec, examine, single_row_times, throughput
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


def subject_of(case: Case) -> Subject:
    return Subject(case.spec, case.features, case.pipeline, case.rows, case.rows.iloc[:0], case.predictions)


def test_warm_up_is_not_timed_and_rows_are_taken_in_turn():
    watch = Stopwatch([9, 9, 1, 2, 3, 4, 5, 6])
    times = single_row_times(watch.predict, ROWS, ServingSpec(calls=6, warm_up=2, seconds=100), watch)
    assert times.tolist() == [1, 2, 3, 4, 5, 6]
    assert watch.seen == [[0], [1], [0], [1], [2], [3], [4], [0]]


def test_timing_stops_after_its_seconds():
    watch = Stopwatch([1])
    assert len(single_row_times(watch.predict, ROWS, ServingSpec(warm_up=0, seconds=7), watch)) == 7


def test_throughput_is_the_median_of_its_repeats():
    watch = Stopwatch([100, 2, 1, 50])
    assert throughput(watch.predict, ROWS, 10, repeats=3, clock=watch) == 5
    assert watch.seen[0] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert throughput(Stopwatch([0]).predict, ROWS, 10, clock=watch) is None


def test_percentiles_need_calls(classification: Case):
    found = examine(subject_of(classification), ServingSpec(calls=20, warm_up=1, repeats=1))
    by_name = {measure.name: measure for measure in found.measures}
    assert list(by_name) == list(serving.MEASURES)
    assert by_name["latency_p95_ms"].value is not None
    assert by_name["latency_p99_ms"].value is None
    assert by_name["latency_p99_ms"].note.endswith("100 are needed")


def test_a_fitted_pipeline_is_timed_in_milliseconds(regression: Case):
    found = examine(subject_of(regression), ServingSpec(calls=100))
    p50, p95, p99, rate = (measure.value for measure in found.measures)
    assert p50 is not None and p95 is not None and p99 is not None and rate is not None
    assert 0.01 < p50 <= p95 <= p99 < 10_000
    assert rate > 1000 / p50  # a batch is faster than its rows one by one
    assert [row[0] for row in found.tables[0].rows] == ["10", "100", "1000"]


def test_no_rows_are_not_evaluated(regression: Case):
    rows = regression.rows.iloc[:0]
    empty = Subject(regression.spec, regression.features, regression.pipeline, rows, rows, regression.predictions)
    assert {measure.value for measure in examine(empty).measures} == {None}


def test_the_docstring_says_that_it_is_examined_only_where_declared():
    assert "only where it is declared" in (serving.__doc__ or "").replace("\n", " ")
    assert np.isfinite(serving.ServingSpec().seconds)
