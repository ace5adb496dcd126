"""Stored predictions: what a model said about each test row, to be repeated bit for bit later."""

import hashlib
from pathlib import Path

import pandas as pd

from mlops_assets.errors import StorageError
from mlops_assets.metrics.outcomes import Predictions


def to_frame(rows: pd.DataFrame, predictions: Predictions) -> pd.DataFrame:
    """One line per row of ``rows``: batch, row number, prediction, and a probability per class."""
    frame = rows.loc[:, ["_batch", "_row"]].reset_index(drop=True)
    frame["prediction"] = predictions.values
    if predictions.probabilities is not None:
        for index, _ in enumerate(predictions.classes):
            frame[f"probability_{index}"] = predictions.probabilities[:, index]
    return frame


def write_predictions(frame: pd.DataFrame, path: Path) -> str:
    """Write ``frame`` as Parquet and return the SHA-256 of the file."""
    frame.to_parquet(path, index=False)
    return _sha256(path)


def read_predictions(path: Path, digest: str) -> pd.DataFrame:
    """The stored predictions.

    Raises:
        StorageError: if the file is not the one that was stored.
    """
    observed = _sha256(path)
    if observed != digest:
        raise StorageError(
            f"The stored predictions {path.name} have digest {observed[:12]}, recorded was {digest[:12]}: they were "
            "changed. Remedy: materialise evaluation again"
        )
    return pd.read_parquet(path)


def different_rows(stored: pd.DataFrame, rows: pd.DataFrame, predictions: Predictions) -> int:
    """Number of rows whose prediction or any probability is not exactly the stored one."""
    present = to_frame(rows, predictions)
    if list(present.columns) != list(stored.columns) or len(present) != len(stored):
        return max(len(present), len(stored))
    equal = (present == stored) | (present.isna() & stored.isna())
    return int((~equal.all(axis=1)).sum())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
