"""Own scoring: what a champion says about the challenger's rows, on features that its own code makes of them."""

from typing import TYPE_CHECKING

from mlops_assets.errors import MlopsError, NotEvaluated, StorageError, TrackingError
from mlops_assets.registry.provenance import fetched_artefact, model_of, scored

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.metrics.outcomes import Predictions
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.registry.version import RegisteredVersion

FEWEST_ALIKE = 30
"""Rows whose features must be the same for a version that nothing says the code of."""


class OtherFeatures(NotEvaluated):
    """A version whose features cannot be made of these rows: comparing again would not help."""


def scored_by_own_code(
    session: "RegistrySession",
    versions: "tuple[RegisteredVersion, RegisteredVersion]",
    features: "tuple[FeaturesVersion, FeaturesVersion]",
    rows: "pd.DataFrame",
) -> "tuple[Predictions, int]":
    """What the second of ``versions`` says about ``rows`` of the first; and the bytes of its artefact.

    Where both were made by the same code, these features are its own. Else its sealed code makes them of the dataset's
    rows. A version of an earlier release has none: its features of the rows that both hold must be these.

    Raises:
        OtherFeatures: if it cannot be scored.
        StorageError: if artefact or sealed code are not what was recorded.
    """
    if _has_other_code(session, versions):
        return _by_sealed_code(session, versions[1], features, rows)
    if not model_of(session.storage, versions[1]).sealed_code:
        _require_alike(session, *features)
    return scored(session, versions[1], rows.loc[:, features[0].names])


def require_comparable(
    session: "RegistrySession",
    versions: "tuple[RegisteredVersion, RegisteredVersion]",
    features: "tuple[FeaturesVersion, FeaturesVersion]",
) -> None:
    """Raise OtherFeatures where the records alone say that the second version cannot score rows of the first."""
    ours, theirs = features
    other_columns = ours.columns != theirs.columns and not _has_other_code(session, versions)
    if other_columns or ours.classes != theirs.classes or ours.target != theirs.target:
        raise OtherFeatures(_difference(ours, theirs))


def _has_other_code(session: "RegistrySession", versions: "tuple[RegisteredVersion, RegisteredVersion]") -> bool:
    """Whether the second version's code is known, and is not that of the first."""
    mine, other = (model_of(session.storage, version) for version in versions)
    return bool(other.sealed_code) and mine.code_digest != other.code_digest


def _difference(ours: "FeaturesVersion", theirs: "FeaturesVersion") -> str:
    """In what the features, classes or target of two versions differ."""
    new, gone = (
        [column.name for column in first.columns if column not in second.columns]
        for first, second in ((ours, theirs), (theirs, ours))
    )
    parts = [f"{what} {', '.join(map(repr, names))}" for what, names in (("new are", new), ("gone are", gone)) if names]
    if ours.classes != theirs.classes:
        parts.append(f"the classes were {theirs.classes}, now {ours.classes}")
    if ours.target != theirs.target:
        parts.append(f"the target was {theirs.target!r}, now {ours.target!r}")
    return "; ".join(parts) or "its features are in another order"


def _by_sealed_code(
    session: "RegistrySession",
    version: "RegisteredVersion",
    features: "tuple[FeaturesVersion, FeaturesVersion]",
    rows: "pd.DataFrame",
) -> "tuple[Predictions, int]":
    from mlops_assets.model.sealed.scoring import SealedModel, predict_sealed
    from mlops_assets.model.sealed.seal import PLACE, opened

    ours, theirs = features
    model = model_of(session.storage, version)
    artefact = fetched_artefact(session, version)
    try:
        fetched = session.fetch(f"runs:/{model.mlflow_run_id}/{PLACE}")
    except TrackingError as error:
        raise OtherFeatures(f"its sealed code is gone: {error}") from error
    code = opened(fetched, model.sealed_code)
    try:
        raw = _raw_rows(session, code.spec, ours, rows)
        sealed = SealedModel(model, theirs, artefact, code)
        return predict_sealed(sealed, raw, session.new_folder()), artefact.stat().st_size
    except StorageError:
        raise
    except MlopsError as error:
        raise OtherFeatures(str(error)) from error


def _raw_rows(
    session: "RegistrySession", then: "SystemSpec", ours: "FeaturesVersion", rows: "pd.DataFrame"
) -> "pl.DataFrame":
    """The dataset's columns of ``rows``, in their order."""
    import polars as pl

    from mlops_assets.dataset.version import DatasetVersion
    from mlops_assets.features.assembly import raw_rows

    dataset = session.storage.records.get(DatasetVersion, session.system, ours.dataset_digest)
    places = pl.from_pandas(rows.loc[:, ["_batch", "_row"]])
    made = places.join(raw_rows(session.storage, then, dataset), on=["_batch", "_row"], maintain_order="left")
    if made.height != len(rows):
        raise StorageError(f"{len(rows)} compared rows are {made.height} in dataset {dataset.digest[:12]}")
    return made.drop("_batch", "_row")


def _require_alike(session: "RegistrySession", ours: "FeaturesVersion", theirs: "FeaturesVersion") -> None:
    """Raise OtherFeatures unless both versions have the same features of the rows that both hold."""
    from mlops_assets.features.table import read_features
    from mlops_assets.features.transform import differing

    first, second = (
        read_features(session.storage, version).set_index(["_batch", "_row"])[version.names]
        for version in (ours, theirs)
    )
    both = first.index.intersection(second.index)
    unlike = differing(first.loc[both], second.loc[both])
    if len(both) < FEWEST_ALIKE or unlike:
        seen = f"{unlike!r} differ" if unlike else f"only {len(both)} rows are in both versions"
        raise OtherFeatures(
            f"it is of a release that sealed no code, and that its features are made as today's cannot be seen: {seen}"
        )
