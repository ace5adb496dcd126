"""Calibration: whether stated probabilities come true, beyond what chance alone would show."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from pydantic import Field

from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnoses.calibration_null import (
    BINS,
    Bins,
    bin_events,
    errors_of,
    null_bins,
    null_bins_by_group,
)
from mlops_assets.evaluation.diagnosis import Diagnosis, Measure, Row, Subject, Table
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.metrics.bootstrap import group_codes
from mlops_assets.metrics.formatting import figure
from mlops_assets.metrics.outcomes import Outcomes
from mlops_assets.metrics.scoring import values
from mlops_assets.model.temperature_scaling import fit_temperature, rescale

INFO = DIAGNOSES["calibration"]
FEWEST_ROWS = 30
FEWEST_GROUPS = 20
"""Fewer say too little of how rows of one group go together."""
NULL_LEVEL = 0.95
"""Share of calibrated models whose calibration error stays at or below the null's bound."""


class ReliabilityRow(Row):
    """The rows of one bin of stated probabilities."""

    table = "reliability"

    probability: str
    rows: int
    stated: float = Field(title="mean stated")
    observed: float = Field(title="observed share")
    chance_low: float = Field(title="chance from")
    """Share that chance exceeds in 97.5 % of draws, if every probability is right."""
    chance_high: float = Field(title="chance to")


class TemperatureRow(Row):
    """Calibration with and without the temperature."""

    table = "temperature_scaling"

    probabilities: str
    ece: float
    log_loss: float


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


def examine(subject: Subject) -> Diagnosis:
    """Reliability of the test rows' probabilities against what chance shows, and the temperature that would mend it."""
    rows = len(subject.test)
    try:
        if rows < FEWEST_ROWS:
            raise NotEvaluated(f"{rows} rows, {FEWEST_ROWS} are needed")
        stated, happened = events(subject.outcomes)
    except NotEvaluated as reason:
        return Diagnosis.not_evaluated(INFO, str(reason), rows)
    bins = bin_events(stated, happened)
    simulated = _simulated(subject, stated, happened)
    temperature = _temperature(subject)
    measures = [*_errors(bins, simulated), *_brier(bins), temperature]
    return Diagnosis(
        name=INFO.name,
        title=INFO.title,
        headline=_headline(measures),
        measures=measures,
        tables=[_reliability(bins, simulated), *_rescaled(subject.outcomes, temperature.value)],
        notes=_notes(subject),
    )


def _simulated(subject: Subject, stated: np.ndarray, happened: np.ndarray) -> np.ndarray | None:
    """Events per bin as chance makes them; None of too few groups."""
    draws, seed, groups = subject.bootstrap.resamples, subject.bootstrap.seed, group_codes(subject.groups)
    if groups is None:
        return null_bins(stated, draws, seed)
    return None if groups.max() + 1 < FEWEST_GROUPS else null_bins_by_group(stated, happened, groups, draws, seed)


def _errors(bins: Bins, simulated: np.ndarray | None) -> list[Measure]:
    rows = int(bins.rows.sum())
    if simulated is None:
        note = f"fewer than {FEWEST_GROUPS} groups, which say too little of what chance shows"
        unknown = [Measure(name=name, value=None, rows=rows, note=note) for name in ("ece_excess", "ece_null_p")]
        return [Measure(name="ece", value=bins.ece, rows=rows, note=note), *unknown]
    chance = errors_of(simulated, bins)
    bound = float(np.quantile(chance, NULL_LEVEL))
    # A sum of equal numbers in another order must not decide.
    reached = int((chance >= bins.ece - 1e-12).sum())
    values = {"ece": bins.ece, "ece_excess": bins.ece - bound, "ece_null_p": (1 + reached) / (1 + len(chance))}
    note = f"chance alone shows {figure(float(chance.mean()))} on average, {figure(bound)} at the 95th percentile"
    return [Measure(name=name, value=value, rows=rows, note=note) for name, value in values.items()]


def _brier(bins: Bins) -> list[Measure]:
    names = ("brier_reliability", "brier_resolution", "brier_uncertainty")
    rows = int(bins.rows.sum())
    return [Measure(name=name, value=value, rows=rows) for name, value in zip(names, bins.brier_parts, strict=True)]


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
    excess = value["ece_excess"]
    if excess is None:
        return f"Calibration error {figure(value['ece'])}, not compared with chance: fewer than {FEWEST_GROUPS} groups."
    against = "beyond chance" if excess > 0 else "within chance"
    bound = (value["ece"] or 0.0) - excess
    return (
        f"Calibration error {figure(value['ece'])}, {against} (95 % of calibrated models stay below {figure(bound)})."
    )


def _reliability(bins: Bins, simulated: np.ndarray | None) -> Table:
    anything = np.stack([np.zeros(len(bins.rows)), bins.rows])
    low, high = anything if simulated is None else np.quantile(simulated, [0.025, 0.975], axis=0)
    rows = [
        ReliabilityRow(
            probability=f"{index / BINS:.3f} to {(index + 1) / BINS:.3f}",
            rows=int(bins.rows[index]),
            stated=float(bins.stated[index] / bins.rows[index]),
            observed=float(bins.observed[index] / bins.rows[index]),
            chance_low=float(low[index] / bins.rows[index]),
            chance_high=float(high[index] / bins.rows[index]),
        )
        for index in np.flatnonzero(bins.rows)
    ]
    return Table.of(ReliabilityRow, "Reliability", rows)


def _rescaled(outcomes: Outcomes, temperature: float | None) -> list[Table]:
    """Nothing where there is no temperature."""
    if temperature is None or outcomes.probabilities is None:
        return []
    scaled = replace(outcomes, probabilities=rescale(outcomes.probabilities, temperature))
    rows = [_temperature_row("as stated", outcomes), _temperature_row("divided by the temperature", scaled)]
    return [Table.of(TemperatureRow, "Temperature scaling", rows)]


def _temperature_row(probabilities: str, outcomes: Outcomes) -> TemperatureRow:
    ece = bin_events(*events(outcomes)).ece
    return TemperatureRow(probabilities=probabilities, ece=ece, log_loss=_log_loss(outcomes))


def _log_loss(outcomes: Outcomes) -> float:
    loss = values(["log_loss"], outcomes)["log_loss"]
    assert loss is not None, "there are probabilities"
    return loss


def _notes(subject: Subject) -> list[str]:
    notes = [f"{BINS} bins of equal width. By chance alone calibration error is above 0: it is read against its null."]
    if subject.outcomes.positive is None:
        notes.append("With several classes the probability is that of the predicted class.")
    if subject.groups is not None:
        notes.append("Chance is drawn by group: rows of one group go together as they did here.")
    return notes
