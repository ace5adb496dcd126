"""The artefact: a fitted pipeline as a skops file, written, named by its content, and loaded without pickle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.declaration.base import load_object, one_of
from mlops_assets.errors import StorageError
from mlops_assets.model.canonical_content import content_digest
from mlops_assets.model.prediction import predict
from mlops_assets.model.skops_format import skops_io

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from mlops_assets.metrics.outcomes import Predictions

TRUSTED = frozenset(
    {
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Matern",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Types beyond skops' own list that a fitted pipeline may hold, each by its exact name."""


def dump(pipeline: "Pipeline", path: str | Path) -> None:
    """Write the fitted pipeline as a skops file."""
    skops_io().dump(pipeline, path)


def digest(path: str | Path) -> str:
    """SHA-256 of the artefact's canonical content: equal for equal models, whichever process wrote them."""
    return content_digest(Path(path).read_bytes())


def load(path: str | Path, expected_digest: str, declared: Sequence[str] = ()) -> "Pipeline":
    """The pipeline of exactly this digest; ``declared`` names its estimator and transformer by dotted path.

    Raises:
        StorageError: if the content is another one, or holds a type that is not trusted. Nothing was built then.
    """
    data = Path(path).read_bytes()
    stored = content_digest(data)
    if stored != expected_digest:
        raise StorageError(
            f"{str(path)!r} holds the artefact {stored}, not {expected_digest}. "
            "Remedy: restore the file that was logged, or materialise the model again."
        )
    return skops_io().loads(data, trusted=_trusted(data, declared, str(path)))


def trusted_types(artefact: "Pipeline | str | Path", declared: Sequence[str] = ()) -> list[str]:
    """Types of a fitted pipeline, or of its file, that loading must be told to trust.

    Raises:
        StorageError: if one of them is neither on the platform's list nor declared.
    """
    if isinstance(artefact, (str, Path)):
        return _trusted(Path(artefact).read_bytes(), declared, str(artefact))
    return _trusted(skops_io().dumps(artefact), declared, type(artefact[-1]).__name__)


def verify(
    path: str | Path, digest: str, rows: "pd.DataFrame", predictions: "Predictions", declared: Sequence[str] = ()
) -> None:
    """Show that the stored artefact predicts bit for bit what the pipeline in memory did.

    Raises:
        StorageError: if it does not, or does not load.
    """
    again = predict(load(path, digest, declared), rows)
    changed = [
        name for name in ("values", "probabilities") if not _same_bits(getattr(again, name), getattr(predictions, name))
    ]
    if changed or again.classes != predictions.classes:
        raise StorageError(
            f"{str(path)!r} loads, but its predicted {' and '.join(changed or ['classes'])} are not the fitted ones"
        )


def _same_bits(stored: "np.ndarray | None", fitted: "np.ndarray | None") -> bool:
    if stored is None or fitted is None:
        return stored is fitted
    if stored.dtype != fitted.dtype or stored.shape != fitted.shape:
        return False
    return stored.tolist() == fitted.tolist() if stored.dtype == object else stored.tobytes() == fitted.tobytes()


def _trusted(data: bytes, declared: Sequence[str], name: str) -> list[str]:
    types = skops_io().get_untrusted_types(data=data)
    foreign = set(types) - TRUSTED
    # The declared classes are imported only when the file holds something beyond the list.
    foreign -= {_type_name(path) for path in declared} if foreign else set()
    if foreign:
        raise StorageError(
            f"The artefact {name!r} holds types that are not trusted: {one_of(foreign)}. Remedy: use an estimator "
            "whose parts are scikit-learn's, XGBoost's, LightGBM's or CatBoost's, or declare the type's own class."
        )
    return types


def _type_name(path: str) -> str:
    kind = load_object(path, "artefact")
    return f"{kind.__module__}.{kind.__qualname__}"
