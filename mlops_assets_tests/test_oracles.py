"""Values that other libraries computed, where they are at hand: beside the shared data, in ``golden/oracles.json``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from mlops_assets.comparison.delong import delong
from mlops_assets.comparison.mcnemar import Discordance
from mlops_assets.comparison.resampled_t import corrected_resampled_t
from mlops_assets.metrics.outcomes import Predictions, read_outcomes
from mlops_assets.metrics.proportion import clopper_pearson
from mlops_assets.metrics.scoring import values

Given: TypeAlias = dict[str, Any]
Found: TypeAlias = dict[str, Any]


def two_classes(given: Given) -> Found:
    scores = np.array(given["score of 1"])
    predictions = Predictions((scores >= given["threshold"]).astype(int), np.column_stack([1 - scores, scores]), (0, 1))
    outcomes = read_outcomes("classification", np.array(given["truth"]), predictions)
    return values(TWO_CLASSES, outcomes)


def five_classes(given: Given) -> Found:
    probabilities = np.array(given["probabilities"])
    predictions = Predictions(probabilities.argmax(axis=1), probabilities, tuple(range(5)))
    outcomes = read_outcomes("classification", np.array(given["truth"]), predictions)
    return values(FIVE_CLASSES, outcomes)


def regression(given: Given) -> Found:
    outcomes = read_outcomes("regression", np.array(given["truth"]), Predictions(np.array(given["predicted"])))
    return values(REGRESSION, outcomes)


def areas(given: Given) -> Found:
    seen = delong(np.array(given["ours"]), np.array(given["theirs"]), np.array(given["positive"]))
    return {"difference": seen.value, "standard_error": seen.standard_error, "z": seen.statistic, "p": seen.p_value}


def discordance(given: Given) -> Found:
    counted = Discordance(given["ours"], given["theirs"], given["rows"])
    return {"exact p": counted.exact_p, "interval": list(counted.interval(0.95))}


def share(given: Given) -> Found:
    return {"interval": list(clopper_pearson(given["hits"] / given["rows"], given["rows"]))}


def resampled(given: Given) -> Found:
    seen = corrected_resampled_t(given["differences"], given["test share"])
    return {"t": seen.statistic, "p": seen.p_value}


TWO_CLASSES = [
    *("accuracy", "balanced_accuracy", "f1", "f2", "f0_5", "precision", "recall", "f1_macro", "matthews_corrcoef"),
    *("roc_auc", "average_precision", "log_loss", "brier_score"),
]
FIVE_CLASSES = [
    *("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "matthews_corrcoef"),
    *("log_loss", "brier_score", "roc_auc", "average_precision"),
]
REGRESSION = [
    *("r2", "mean_absolute_error", "root_mean_squared_error", "mean_absolute_percentage_error"),
    *("median_absolute_error", "root_mean_squared_log_error", "mean_absolute_error_relative"),
]
FINDERS: dict[str, Callable[[Given], Found]] = {
    "two classes": two_classes,
    "five classes": five_classes,
    "regression": regression,
    "DeLong": areas,
    "McNemar": discordance,
    "share": share,
    "corrected resampled t": resampled,
}


@pytest.mark.parametrize("kind", FINDERS)
def test_values_are_those_of_other_libraries(kind: str, golden_data: Path) -> None:
    page = golden_data / "oracles.json"
    if not page.exists():
        pytest.skip(f"{page.name} is not at hand")
    cases = [case for case in json.loads(page.read_text()) if case["name"].startswith(kind)]
    assert len(cases) >= 2
    for case in cases:
        found = FINDERS[kind](case["given"])
        compared = set(case["expected"]) & set(found)
        assert compared, case["name"]
        for name in compared:
            expected = case["expected"][name]
            wanted = expected if expected is None else pytest.approx(expected, abs=case["tolerance"])
            assert found[name] == wanted, (case["name"], name)
