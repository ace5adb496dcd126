"""The ONNX copy of a model: made, scored, and kept only where it predicts what the fitted pipeline does."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import pandas as pd

from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model.onnx_conversion import CannotConvert, to_onnx
from mlops_assets.model.pipeline import MISSING
from mlops_assets.model.recalibration import is_ruled

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from sklearn.pipeline import Pipeline

    from mlops_assets.features.version import Label

TOLERANCE = 1e-5
"""Largest allowed difference: of a probability, or of a predicted value relative to its size."""


def export_if_equal(
    policy: Literal["auto", "required", "off"],
    pipeline: "Pipeline",
    rows: pd.DataFrame,
    predictions: Predictions,
    path: str | Path,
) -> tuple[str | None, str]:
    """The ONNX copy's digest, and how it compares; None and the reason where no copy is kept.

    ``predictions`` are the fitted pipeline's for ``rows``.

    Raises:
        CannotConvert: if the policy is ``required`` and there is no equal copy.
    """
    if policy == "off":
        return None, "switched off by model.onnx"
    try:
        digest = export(pipeline, path)
        difference = compare(path, rows, predictions)
        if not difference <= TOLERANCE:
            raise CannotConvert(f"the copy differs by {difference:.2g} (allowed: {TOLERANCE:g})")
    except CannotConvert as error:
        Path(path).unlink(missing_ok=True)
        if policy == "required":
            raise CannotConvert(f"model.onnx is 'required', but {error}. Remedy: onnx: auto") from error
        return None, f"no ONNX copy: {error}"
    return digest, f"differs by at most {difference:.2g} on {len(rows)} rows (allowed: {TOLERANCE:g})"


def export(pipeline: "Pipeline", path: str | Path) -> str:
    """Write the ONNX copy and return the SHA-256 of its bytes.

    Raises:
        CannotConvert: if a part of the pipeline has no ONNX form.
    """
    if is_ruled(pipeline[-1]):
        raise CannotConvert(f"{type(pipeline[-1]).__name__}, which rules a fitted estimator, has no ONNX form")
    data = to_onnx(pipeline).SerializeToString(deterministic=True)
    Path(path).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def score(path: str | Path, rows: pd.DataFrame) -> Predictions:
    """Predictions of the ONNX copy for ``rows``.

    Raises:
        CannotConvert: if ONNX Runtime cannot run the copy.
    """
    session = _session(path)
    facts = session.get_modelmeta().custom_metadata_map
    inputs = {
        f"c{index}": _column(cast("pd.Series", rows[name]), kind)
        for index, (name, kind) in enumerate(json.loads(facts["features"]).items())
    }
    # A feature that the converted graph never reads is no input of it.
    read = {node.name: inputs[node.name] for node in session.get_inputs()}
    answers = cast("list[np.ndarray]", session.run(None, read))
    classes = json.loads(facts["classes"])
    if not classes:
        return Predictions(answers[0].ravel())
    probabilities = answers[1] if json.loads(facts["probabilities"]) else None
    labels = _labels(answers[0], classes, json.loads(facts["positions"]))
    return Predictions(labels, probabilities, tuple(classes))


def compare(path: str | Path, rows: pd.DataFrame, predictions: Predictions) -> float:
    """Largest difference between the ONNX copy's predictions and ``predictions``.

    Classification: of probabilities; 1 where a label differs although no tie explains it. Regression: relative to
    the prediction's size, or to the mean size where that is larger.
    """

    copy = score(path, rows)
    if not predictions.classes:
        size = np.abs(predictions.values)
        gap = np.abs(copy.values - predictions.values)
        return float(np.max(gap / np.maximum(np.maximum(size, size.mean()), np.finfo(float).tiny)))
    if predictions.probabilities is None or copy.probabilities is None:
        return float((copy.values != predictions.values).any())
    top = np.sort(predictions.probabilities, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * TOLERANCE
    if (clear & (copy.values != predictions.values)).any():
        return 1.0
    return float(np.max(np.abs(copy.probabilities - predictions.probabilities)))


def _session(path: str | Path) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each of its errors is a class of its own, without a common base
        reason = str(error).strip().split("\n")[0]
        raise CannotConvert(f"ONNX Runtime cannot run the copy: {reason}") from error


def _column(cells: pd.Series, kind: str) -> np.ndarray:

    if kind == "numeric":
        return cells.to_numpy(dtype=np.float64).reshape(-1, 1)
    return cells.where(cells.notna(), MISSING).astype(str).to_numpy(dtype=object).reshape(-1, 1)


def _labels(answers: np.ndarray, classes: "list[Label]", positions: bool) -> np.ndarray:
    """Labels in the classes' own type: ONNX knows booleans as integers."""

    kind = {bool: np.bool_, int: np.int64}.get(type(classes[0]), np.object_)
    return np.array(classes, dtype=kind)[answers] if positions else answers.astype(kind)
