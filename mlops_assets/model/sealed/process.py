"""The process in which sealed code runs: it makes features from rows and says what a model predicts of them."""

import json
import sys
from pathlib import Path

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import MlopsError
from mlops_assets.features.version import FeatureColumn
from mlops_assets.model.sealed.finder import SealedFinder

REQUEST, ROWS, ANSWER, CLASSES, REASON = "request.json", "rows.arrow", "answer.arrow", "classes.json", "reason.txt"
"""Files of the folder that the process is given and answers in."""


def main(folder: Path) -> None:
    """Answer the request in ``folder``; what stands in the way is written there, in one sentence."""
    try:
        _answer(folder, json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    except Exception as error:  # whatever the code of then raises today is the reason
        reason = str(error) if isinstance(error, MlopsError) else f"{type(error).__name__}: {error}"
        (folder / REASON).write_text(" ".join(reason.split()), encoding="utf-8")
        sys.exit(1)


def _answer(folder: Path, request: dict) -> None:
    import polars as pl

    from mlops_assets.features.transform import transform
    from mlops_assets.model.artefact import load
    from mlops_assets.model.prediction import predict

    sys.meta_path.insert(0, SealedFinder(Path(request["code"]), request["names"]))
    spec = SystemSpec.model_validate(request["spec"])
    columns = [FeatureColumn.model_validate(column) for column in request["columns"]]
    raw = pl.read_ipc(folder / ROWS).to_pandas()
    features = transform(raw, spec, columns)
    pipeline = load(request["artefact"], request["digest"], declared=request["declared"])
    predictions = predict(pipeline, features)
    answer = pl.DataFrame({"value": pl.Series(predictions.values.tolist())})
    if predictions.probabilities is not None:
        shares = [pl.Series(f"p{at}", column) for at, column in enumerate(predictions.probabilities.T)]
        answer = answer.with_columns(shares)
    answer.write_ipc(folder / ANSWER)
    (folder / CLASSES).write_text(json.dumps(predictions.classes), encoding="utf-8")
