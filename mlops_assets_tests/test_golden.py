"""Published and computed numbers that the suite repeats; those of one module stand with that module's tests.

Residual tests: test_residuals. Calibration error and temperature: test_calibration. Coverage: test_conformal.
fairlearn's values: test_fairness. DeLong and McNemar: test_comparison.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.evaluation.diagnoses.labels import likely_classes
from mlops_assets.evaluation.diagnoses.residual_tests import breusch_pagan, durbin_watson, jarque_bera, shapiro_wilk
from mlops_assets.metrics.outcomes import Outcomes, Predictions, read_outcomes
from mlops_assets.metrics.scoring import values


def ols(name: str) -> Outcomes:
    """Truth and fitted values of statsmodels' own examples."""
    import statsmodels.api as sm

    datasets: Any = sm.datasets
    if name == "longley":
        loaded = datasets.longley.load_pandas()
        target, inputs = loaded.endog, loaded.exog
    else:
        data = datasets.statecrime.load_pandas().data
        target, inputs = data["murder"], data[["urban", "poverty", "hs_grad", "single"]]
    fitted: Any = sm.OLS(target, sm.add_constant(inputs)).fit()
    return read_outcomes("regression", target.to_numpy(), Predictions(fitted.fittedvalues.to_numpy()))


@pytest.mark.parametrize(("name", "r2"), [("longley", 0.99547900), ("statecrime", 0.81324031)])
def test_r2_of_statsmodels_examples(name: str, r2: float):
    assert values(["r2"], ols(name))["r2"] == pytest.approx(r2, abs=6e-9)


@pytest.mark.parametrize(("rows", "rate", "trials"), [(200, 0.31, 1000), (5000, 1.0, 60)])
def test_nearly_normal_errors_are_rejected_wherever_there_are_many(rows: int, rate: float, trials: int):
    """Errors of t(10): why a p-value is shown and none is a gate."""
    rng = np.random.default_rng(0)
    rejected = np.mean([(shapiro_wilk(rng.standard_t(10, rows)).p or 0.0) < 0.05 for _ in range(trials)])
    assert rejected == pytest.approx(rate, abs=0.005 + 3 * (rate * (1 - rate) / trials) ** 0.5)


@pytest.mark.slow
def test_a_good_model_of_king_county_fails_every_p_value(shared_data: Path):
    """R² .894, MAE 64,046, RMSE 119,526, MAPE 11.93 %, RMSLE .1636, DW 1.993; folds and date feature are ours."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    sales = pd.read_csv(shared_data / "king_county" / "kc_house_data.csv")
    sold = pd.to_datetime(sales["date"].str[:8])
    inputs = sales.drop(columns=["id", "price"]).assign(date=(sold - sold.min()).dt.days)
    truth = sales["price"].to_numpy(dtype=float)
    folds = KFold(5, shuffle=True, random_state=0)
    logs: Any = cross_val_predict(HistGradientBoostingRegressor(random_state=0), inputs, np.log(truth), cv=folds)
    predicted = np.exp(logs)
    measured: dict[str, Any] = values(
        ["r2", "mean_absolute_error", "root_mean_squared_error", "mean_absolute_percentage_error"],
        read_outcomes("regression", truth, Predictions(predicted)),
    )
    assert measured["r2"] == pytest.approx(0.894, abs=0.005)
    assert measured["mean_absolute_error"] == pytest.approx(64_046, rel=0.015)
    assert measured["root_mean_squared_error"] == pytest.approx(119_526, rel=0.025)
    assert measured["mean_absolute_percentage_error"] == pytest.approx(0.1193, abs=0.002)
    logged = values(["root_mean_squared_log_error"], read_outcomes("regression", truth, Predictions(predicted)))
    assert logged["root_mean_squared_log_error"] == pytest.approx(0.1636, abs=0.002)
    errors = predicted - truth
    assert jarque_bera(errors).p == 0
    assert (breusch_pagan(errors, predicted[:, np.newaxis]).p or 0.0) < 1e-100
    assert durbin_watson(errors).statistic == pytest.approx(1.993, abs=0.015)


@pytest.fixture(scope="module")
def flipped_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, labels of which 179 of 1,797 are wrong, and which those are."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    rng, labels = np.random.default_rng(0), digits.target.copy()
    flipped = rng.choice(len(labels), 179, replace=False)
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, 179)) % 10
    return digits.data, labels, flipped


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "flagged", "precision", "recall"), [("trees", 166, 0.982, 0.911), ("logistic", 212, 0.759, 0.899)]
)
def test_confident_learning_finds_flipped_digits_as_cleanlab_does(
    flipped_digits: tuple[np.ndarray, np.ndarray, np.ndarray], model: str, flagged: int, precision: float, recall: float
):
    """cleanlab's numbers are of other flips: three standard errors of a share of so many rows."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs, labels, flipped = flipped_digits
    trees, logistic = ExtraTreesClassifier(300, random_state=0), LogisticRegression(max_iter=500)
    chosen = trees if model == "trees" else make_pipeline(StandardScaler(), logistic)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    probabilities = np.asarray(cross_val_predict(chosen, inputs, labels, cv=folds, method="predict_proba"))
    suspects = np.flatnonzero(likely_classes(labels, probabilities) != labels)
    recovered = len(np.intersect1d(suspects, flipped))
    assert recovered / len(suspects) == pytest.approx(precision, abs=3 * (precision * (1 - precision) / flagged) ** 0.5)
    assert recovered / len(flipped) == pytest.approx(recall, abs=3 * (recall * (1 - recall) / 179) ** 0.5)
    assert len(suspects) == pytest.approx(flagged, rel=0.1)
