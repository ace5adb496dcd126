"""The first screen: short whatever the number of gates, and never silent about one that stops registration."""

import pytest

from mlops_assets.evaluation.diagnosis import Diagnosis, Measure
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.report.summary import groups_of, reason_in_short, sentence, unexamined
from mlops_assets.verdict import Outcome, Severity, Verdict
from mlops_assets_tests.evaluation.conftest import Case


@pytest.fixture(scope="module")
def report(regression: Case) -> Report:
    return regression.declared(diagnoses=[], resamples=200).report()


def verdicts(outcome: Outcome, count: int, severity: Severity = "block") -> list[Verdict]:
    return [Verdict(name=f"{severity} {index}", outcome=outcome, severity=severity) for index in range(count)]


def with_gates(report: Report, *gates: list[Verdict]) -> Report:
    return report.model_copy(update={"gates": [gate for some in gates for gate in some]})


@pytest.mark.parametrize(
    ("failed", "unknown", "passed", "shown"),
    [
        (2, 1, 3, (2, 1, 3)),
        (20, 0, 0, (9, 0, 0)),
        (20, 20, 20, (5, 4, 10)),
        (1, 20, 2, (1, 8, 2)),
        (7, 2, 0, (7, 2, 0)),
    ],
)
def test_at_most_nine_reasons_are_told_and_some_of_each_kind(
    report: Report, failed: int, unknown: int, passed: int, shown: tuple[int, int, int]
) -> None:
    gates = (verdicts("failed", failed), verdicts("not evaluated", unknown), verdicts("passed", passed))
    groups = groups_of(with_gates(report, *reversed(gates)))
    assert [group.outcome for group in groups] == ["failed", "not evaluated", "passed"]
    assert tuple(len(group.named) for group in groups) == shown
    assert tuple(len(group.named) + group.hidden for group in groups) == (failed, unknown, passed)


def test_gates_that_block_come_before_those_that_warn(report: Report) -> None:
    groups = groups_of(with_gates(report, verdicts("failed", 12, "warn"), verdicts("failed", 3)))
    assert [gate.severity for gate in groups[0].named] == ["block"] * 3 + ["warn"] * 6


def test_the_sentence_counts_what_blocks_and_what_warns(report: Report) -> None:
    assert sentence(with_gates(report)).startswith("No gates are declared")
    fine = with_gates(report, verdicts("passed", 4), verdicts("failed", 1, "warn"))
    assert sentence(fine) == "4 of 5 gates passed; this model may be registered. 1 warning."
    unknown = with_gates(report, verdicts("not evaluated", 2), verdicts("not evaluated", 2, "warn"))
    assert sentence(unknown) == (
        "This model will not be registered: of the gates that block, 2 could not be evaluated. 2 warnings."
    )
    assert "3 failed and 1 could not be evaluated." in sentence(
        with_gates(report, verdicts("failed", 3), verdicts("not evaluated", 1))
    )


def test_a_long_reason_is_cut(report: Report) -> None:
    cut = reason_in_short(Verdict(name="a", outcome="failed", reason="r" * 5000))
    assert cut == "r" * 149 + "…"


def test_a_diagnosis_that_found_nothing_out_is_told_with_its_reason(report: Report) -> None:
    count = Measure(name="slices_examined", value=0, rows=20)
    gap = Measure(name="worst_gap", value=None, rows=20, note="no slice is large enough")
    partly = Diagnosis(name="slices", title="Slices", headline="Nothing to say.", measures=[gap, count])
    headed = partly.model_copy(update={"reason": "too few rows"})
    silent = partly.model_copy(update={"measures": [gap]})
    told = unexamined(report.model_copy(update={"diagnoses": [headed, silent, partly]}))
    assert told == ["Slices (too few rows)", "Slices (no slice is large enough)"]


def test_numbers_that_are_missing_are_told_with_their_reason(report: Report) -> None:
    assert unexamined(report) == []
    missing = [metric.model_copy(update={"value": None, "note": "too few rows"}) for metric in report.metrics]
    told = unexamined(report.model_copy(update={"metrics": missing}))
    assert told[0] == "R² (too few rows)"
    assert told[4:] == [f"{len(missing) - 4} more"]
