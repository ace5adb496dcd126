"""Gate format: side and fewest rows of a gate are read from verdicts that had no field for them."""

from typing import Any

import pytest

from mlops_assets.evaluation.gate_format import upgraded_gate
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.verdict import Verdict


def verdict_of_format_1(name: str, **details: Any) -> dict[str, Any]:
    written = Verdict(name=name, outcome="passed", bound=0.8, details=details).model_dump(mode="json")
    return {key: value for key, value in written.items() if key not in ("side", "min_rows")}


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("accuracy_at_least", "at_least"),
        ("log_loss_at_most_interval", "at_most"),
        ("fairness_selection_difference_at_most", "at_most"),
        ("beats_baseline", None),
    ],
)
def test_the_side_of_an_old_gate_is_in_its_name_and_its_fewest_rows_among_the_details(name: str, side: str | None):
    read = Verdict.model_validate(upgraded_gate(verdict_of_format_1(name, min_rows=30, metric="accuracy")))
    assert (read.side, read.min_rows, read.details) == (side, 30, {"metric": "accuracy"})


def test_a_check_of_the_platform_has_neither():
    read = Verdict.model_validate(upgraded_gate(verdict_of_format_1("bounds_not_loosened")))
    assert (read.side, read.min_rows) == (None, None)


def test_a_gate_of_this_release_is_left_as_it_is():
    written = Verdict(name="at_least_one_thing", outcome="passed", details={"min_rows": 3}).model_dump(mode="json")
    assert upgraded_gate(written) == written


def test_the_gates_of_an_old_evaluation_record_are_read_so():
    body = {"verdicts": [verdict_of_format_1("accuracy_at_least", min_rows=30)]}
    assert EvaluationReport.upgraded(body)["verdicts"][0]["side"] == "at_least"
