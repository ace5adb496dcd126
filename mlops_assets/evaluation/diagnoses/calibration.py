"""Calibration: whether stated probabilities come true, beyond what chance alone would show."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mlops_assets.declaration.base import Task
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.temperature_scaling import fit_temperature, rescale
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Subject, Table
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.outcomes import Outcomes

NAME = "calibration"
TITLE = "Calibration"
TASKS: frozenset[Task] = frozenset({"classification"})
MEASURES = {
    "ece": "Expected calibration error, 0 to 1 (lower is better)",
    "ece_excess": "Calibration error above the 95th percentile of what chance shows, 0 to 1 (lower is better)",
    "ece_null_p": "Chance of such a calibration error if every probability were right, 0 to 1 (higher is better)",
    "brier_reliability": "Brier score's part that is due to miscalibration, 0 to 1 (lower is better)",
    "brier_resolution": "Brier score's part that telling rows apart saves, 0 to 0.25 (higher is better)",
    "brier_uncertainty": "Brier score of always stating the base rate, 0 to 0.25 (given by the rows)",
    "temperature": "Divisor of the logits that fits the validation rows: 1 is right, above 1 is overconfident",
}

BINS = 15
FEWEST_ROWS = 30
NULL_LEVEL = 0.95
"""Share of calibrated models whose calibration error stays at or below the null's bound."""
STEPS = 100
"""Steps within a bin up to which probabilities are told apart when labels are drawn."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Sums over the rows of each bin of equal width."""

    rows: np.ndarray
    stated: np.ndarray
    """Sum of stated probabilities."""
    observed: np.ndarray
    """Number of rows where the event happened."""

    @property
    def ece(self) -> float:
        """Mean distance of stated and observed, weighted by rows (Naeini et al. 2015)."""

        return float(np.abs(self.stated - self.observed).sum() / self.rows.sum())

    @property
    def brier_parts(self) -> tuple[float, float, float]:
        """Reliability, resolution, uncertainty: first - second + third is the Brier score of bins (Murphy 1973)."""
        filled = self.rows > 0
        rows, stated, observed = self.rows[filled], self.stated[filled], self.observed[filled]
        total, base = rows.sum(), observed.sum() / rows.sum()
        reliability = float(((stated - observed) ** 2 / rows).sum() / total)
        resolution = float((rows * (observed / rows - base) ** 2).sum() / total)
        return reliability, resolution, float(base * (1 - base))


def events(outcomes: Outcomes) -> tuple[np.ndarray, np.ndarray]:
    """Stated probability and truth, row by row: of the positive class where there are two, else of the top label.

    Raises:
        NotEvaluated: if the model gives no probabilities.
    """

    if outcomes.probabilities is None:
        raise NotEvaluated("the model gives no probabilities")
    probabilities = outcomes.probabilities.astype(np.float64)
    if outcomes.positive is not None:
        return probabilities[:, outcomes.positive], outcomes.truth == outcomes.positive
    top = probabilities.argmax(axis=1)
    return probabilities[np.arange(len(top)), top], outcomes.truth == top


def bin_events(stated: np.ndarray, happened: np.ndarray, bins: int = BINS) -> Bins:
    """Rows gathered by stated probability, in bins of equal width."""

    position = _cell(stated, bins) // STEPS
    return Bins(
        rows=np.bincount(position, minlength=bins),
        stated=np.bincount(position, weights=stated, minlength=bins),
        observed=np.bincount(position, weights=happened, minlength=bins),
    )


def null_bins(stated: np.ndarray, draws: int = 2000, seed: int = 0, bins: int = BINS) -> np.ndarray:
    """Events per bin, shape (draws, bins), if each row's event happens with its stated probability.

    Rows whose probabilities differ by less than a hundredth of a bin are drawn as one binomial of their mean: the
    expectation is exact, the variance is too large by less than the square of that difference per row.
    """

    cells, atom, size = np.unique(_cell(stated, bins), return_inverse=True, return_counts=True)
    mean = np.clip(np.bincount(atom, weights=stated) / size, 0, 1)
    drawn = np.random.default_rng(seed).binomial(size, mean, size=(draws, len(size)))
    filled, first = np.unique(cells // STEPS, return_index=True)
    found = np.zeros((draws, bins))
    found[:, filled] = np.add.reduceat(drawn, first, axis=1)
    return found


def null_errors(stated: np.ndarray, draws: int = 2000, seed: int = 0, bins: int = BINS) -> np.ndarray:
    """Calibration errors, shape (draws,), of a model whose stated probabilities are all right."""

    return _errors_of(null_bins(stated, draws, seed, bins), bin_events(stated, np.zeros(len(stated)), bins))


def examine(subject: Subject) -> Diagnosis:
    """Reliability of the test rows' probabilities against what chance shows, and the temperature that would mend it."""
    rows = len(subject.test)
    try:
        if rows < FEWEST_ROWS:
            raise NotEvaluated(f"{rows} rows, {FEWEST_ROWS} are needed")
        stated, happened = events(subject.outcomes)
    except NotEvaluated as reason:
        return _without(rows, str(reason))
    found = bin_events(stated, happened)
    simulated = null_bins(stated, subject.bootstrap.resamples, subject.bootstrap.seed)
    temperature = _temperature(subject)
    measures = [*_errors(found, simulated), *_brier(found), temperature]
    return Diagnosis(
        name=NAME,
        title=TITLE,
        headline=_headline(measures),
        measures=measures,
        tables=[_reliability(found, simulated), *_rescaled(subject.outcomes, temperature.value)],
        notes=_notes(subject),
    )


def _cell(stated: np.ndarray, bins: int) -> np.ndarray:
    """Which hundredth of a bin."""

    return np.clip((stated * (bins * STEPS)).astype(np.intp), 0, bins * STEPS - 1)


def _errors_of(simulated: np.ndarray, found: Bins) -> np.ndarray:

    return np.abs(simulated - found.stated).sum(axis=1) / found.rows.sum()


def _without(rows: int, note: str) -> Diagnosis:
    measures = [Measure(name=name, value=None, rows=rows, note=note) for name in MEASURES]
    return Diagnosis(name=NAME, title=TITLE, headline=f"Not evaluated: {note}.", measures=measures)


def _errors(found: Bins, simulated: np.ndarray) -> list[Measure]:

    chance = _errors_of(simulated, found)
    bound = float(np.quantile(chance, NULL_LEVEL))
    # A sum of equal numbers in another order must not decide.
    reached = int((chance >= found.ece - 1e-12).sum())
    values = {"ece": found.ece, "ece_excess": found.ece - bound, "ece_null_p": (1 + reached) / (1 + len(chance))}
    note = f"chance alone shows {figure(float(chance.mean()))} on average, {figure(bound)} at the 95th percentile"
    return [Measure(name=name, value=value, rows=int(found.rows.sum()), note=note) for name, value in values.items()]


def _brier(found: Bins) -> list[Measure]:
    names = ("brier_reliability", "brier_resolution", "brier_uncertainty")
    rows = int(found.rows.sum())
    return [Measure(name=name, value=value, rows=rows) for name, value in zip(names, found.brier_parts, strict=True)]


def _temperature(subject: Subject) -> Measure:
    rows = len(subject.validation)
    try:
        value = _fitted_temperature(subject)
    except NotEvaluated as reason:
        return Measure(name="temperature", value=None, rows=rows, note=str(reason))
    return Measure(name="temperature", value=value, rows=rows, note="fitted on the validation rows")


def _fitted_temperature(subject: Subject) -> float:
    rows = len(subject.validation)
    if rows < FEWEST_ROWS:
        raise NotEvaluated(f"{rows} validation rows, {FEWEST_ROWS} are needed")
    predictions = subject.predict(subject.validation.loc[:, subject.features.names])
    outcomes = subject.read(subject.validation, predictions)
    if outcomes.probabilities is None:
        raise NotEvaluated("the model gives no probabilities")
    value = fit_temperature(outcomes.probabilities, outcomes.truth)
    if value is None:
        raise NotEvaluated("no positive finite temperature has the least log loss on the validation rows")
    return value


def _headline(measures: Iterable[Measure]) -> str:
    value = {measure.name: measure.value for measure in measures}
    excess = value["ece_excess"] or 0.0
    told = "beyond chance" if excess > 0 else "within chance"
    bound = (value["ece"] or 0.0) - excess
    return f"Calibration error {figure(value['ece'])}, {told} (95 % of calibrated models stay below {figure(bound)})."


def _reliability(found: Bins, simulated: np.ndarray) -> Table:

    low, high = np.quantile(simulated, [0.025, 0.975], axis=0)
    rows = [
        [
            f"{index / BINS:.3f} to {(index + 1) / BINS:.3f}",
            int(found.rows[index]),
            *(float(sums[index] / found.rows[index]) for sums in (found.stated, found.observed, low, high)),
        ]
        for index in np.flatnonzero(found.rows)
    ]
    columns = ["probability", "rows", "mean stated", "observed share", "chance from", "chance to"]
    return Table(title="Reliability", columns=columns, rows=rows)


def _rescaled(outcomes: Outcomes, temperature: float | None) -> list[Table]:
    """Nothing where there is no temperature."""
    if temperature is None or outcomes.probabilities is None:
        return []
    scaled = replace(outcomes, probabilities=rescale(outcomes.probabilities, temperature))
    rows = [[name, bin_events(*events(one)).ece, _log_loss(one)] for name, one in _named(outcomes, scaled)]
    return [Table(title="Temperature scaling", columns=["probabilities", "ece", "log loss"], rows=rows)]


def _named(stated: Outcomes, scaled: Outcomes) -> list[tuple[str, Outcomes]]:
    return [("as stated", stated), ("divided by the temperature", scaled)]


def _log_loss(outcomes: Outcomes) -> float:
    from mlops_assets.metrics.scoring import values

    return values(["log_loss"], outcomes)["log_loss"]  # type: ignore[return-value]


def _notes(subject: Subject) -> list[str]:
    notes = [f"{BINS} bins of equal width. By chance alone calibration error is above 0: it is read against its null."]
    if subject.outcomes.positive is None:
        notes.append("With several classes the probability is that of the predicted class.")
    if subject.groups is not None:
        notes.append("The null draws rows independently; rows that come in groups spread more by chance than it shows.")
    return notes
