"""Held-out rows: the validation rows on which a model is calibrated, its threshold chosen, its intervals fitted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.declaration.base import one_of
from mlops_assets.errors import TrainingError
from mlops_assets.model.target import target_values

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion, Label

FEWEST_ROWS = 30
"""On fewer rows nothing is calibrated and no threshold is chosen."""
FEWEST_OF_A_CLASS = 5
REMEDY = "Remedy: a larger features.split.validation, or land more rows"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Which of the validation ``rows`` serve what; none of them is a row that the pipeline was fitted on."""

    features: "FeaturesVersion"
    rows: pd.DataFrame
    calibration: np.ndarray
    """Mask of the rows that recalibrate the probabilities."""
    intervals: np.ndarray
    """Mask of the rows that intervals are fitted on: others than ``calibration``, or their coverage would not hold."""

    def inputs(self, mask: np.ndarray | None = None) -> pd.DataFrame:
        """The feature columns, of the rows in ``mask``."""
        return self.chosen(mask).loc[:, self.features.names]

    def truth(self, mask: np.ndarray | None = None) -> np.ndarray:
        """The target, of the rows in ``mask``."""
        return target_values(self.features, self.chosen(mask))

    def chosen(self, mask: np.ndarray | None = None) -> pd.DataFrame:
        """All columns, of the rows in ``mask``."""
        return self.rows if mask is None else self.rows.loc[mask]


def held_out_rows(spec: "SystemSpec", features: "FeaturesVersion", rows: pd.DataFrame) -> HeldOut:
    """What the declared model may use each validation row for.

    With recalibration and intervals the rows are halved by a hash of their identity, so that rows which belong
    together stay so, and a row never changes its half.

    Raises:
        TrainingError: if a row is of another part, or there are too few rows for what is declared.
    """

    _check_part(features, rows)
    every, model = np.ones(len(rows), dtype=bool), spec.model
    halved = model.calibration != "none" and model.intervals is not None and len(rows) > 0
    first = _first_half(rows) if halved else every
    second = ~first if halved else every
    validation = HeldOut(features, rows, first, second)
    if model.calibration != "none":
        _check_enough(f"model.calibration {model.calibration!r}", validation, first)
    if model.threshold:
        positive_class(spec, features)
        _check_enough("model.threshold", validation, every)
    return validation


def positive_class(spec: "SystemSpec", features: "FeaturesVersion") -> "Label":
    """The declared positive class, or the larger of two.

    Raises:
        TrainingError: if there are not two classes, or it is none of them.
    """
    classes, declared = features.classes or [], spec.evaluation.positive
    if len(classes) != 2:
        raise TrainingError(
            f"{features.system}: model.threshold is for two classes, {features.target!r} has {len(classes)}. "
            "Remedy: leave it out"
        )
    if declared is not None and declared not in classes:
        raise TrainingError(
            f"{features.system}: evaluation.positive: {declared!r} is not a class. Classes: {one_of(classes)}"
        )
    return classes[1] if declared is None else classes[classes.index(declared)]


def _first_half(rows: pd.DataFrame) -> np.ndarray:

    from mlops_assets.features.split_stratification import mix

    # Mixed once more, for the identity's own hash has already chosen the part.
    identities = rows["_identity"].to_numpy(dtype=np.int64).view(np.uint64)
    return (mix(mix(identities)) >> np.uint64(63)).astype(bool)


def _check_part(features: "FeaturesVersion", rows: pd.DataFrame) -> None:
    others = set(rows["_part"].astype(str)) - {"validation"}
    if others:
        raise TrainingError(f"{features.system}: calibrating takes validation rows only; also given: {one_of(others)}")


def _check_enough(what: str, validation: HeldOut, mask: np.ndarray) -> None:

    features, rows = validation.features, int(mask.sum())
    if rows < FEWEST_ROWS:
        raise TrainingError(f"{features.system}: {what} needs {FEWEST_ROWS} validation rows, has {rows}. {REMEDY}")
    truth = pd.Series(validation.truth(mask))
    foreign = set(truth.dropna()) - set(features.classes or ())
    if truth.isna().any() or foreign:
        raise TrainingError(
            f"{features.system}: {what}: {one_of(foreign) or 'an empty cell'} is not a class of {features.target!r}"
        )
    counts = {label: int((truth == label).sum()) for label in features.classes or ()}
    few = {label: count for label, count in counts.items() if count < FEWEST_OF_A_CLASS}
    if few:
        held = ", ".join(f"{count} of class {label}" for label, count in few.items())
        raise TrainingError(
            f"{features.system}: {what} needs {FEWEST_OF_A_CLASS} validation rows of every class, has {held}. {REMEDY}"
        )
