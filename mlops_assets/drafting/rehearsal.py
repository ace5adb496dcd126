"""The rehearsal: a drafted declaration put through the platform's own checks and a quick model, on rows of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.drafting.column_names import words

if TYPE_CHECKING:
    from mlops_assets.features.assembly import Assembly
    from mlops_assets.features.leakage.target_leakage import ScoreRow
    from mlops_assets.features.version import SplitPlan
    from mlops_assets.verdict import Verdict

CELLS = 1_000_000
"""Cells that are rehearsed on; of more, evenly spaced rows."""
FEWEST = 2_000
QUICK_CELLS = 250_000
"""Cells that the quick model is fitted on."""
FOREST = {"classification": "RandomForestClassifier", "regression": "RandomForestRegressor"}
SUSPICIOUS = {"classification": 0.95, "regression": 0.90}
"""Score of a single feature (balanced accuracy, R²) from which a person should look at it."""


@dataclass(frozen=True)
class Accusation:
    """A column that the platform's checks would refuse as a feature."""

    column: str
    reason: str


@dataclass(frozen=True)
class Rehearsal:
    """What the checks said of the drafted features."""

    accusations: list[Accusation]
    suspects: dict[str, str]
    """Features that say much on their own without being refused, and how much."""
    groups: dict[str, str]
    """Columns whose equal values make rows alike, undeclared, those of the fewest values first, and how far."""
    refusals: list[str]
    """Checks that block a run as drafted, and why."""
    parts: dict[str, int]
    """Rows by part of the split."""
    rows: int
    """Rows rehearsed on."""
    assembly: "Assembly"
    plan: "SplitPlan"


@dataclass(frozen=True)
class Quick:
    """What a quick model reached, for bounds a person may want to declare."""

    values: dict[str, float]
    baseline: dict[str, float]
    rows: int
    """Validation rows it was judged on."""
    trained: int
    """Train rows it was fitted on."""


def rehearse(spec: SystemSpec, sample: pl.DataFrame) -> Rehearsal:
    """Split and check the rows of ``sample`` (declared columns in their types) as a run would.

    Raises:
        SpecError: if the declaration does not fit the rows.
    """
    from mlops_assets.features.assembly import assemble, learnable
    from mlops_assets.features.split import choose_plan, identities

    rows = _thinned(sample, max(CELLS // len(spec.dataset.columns), FEWEST))
    rows = rows.select(list(spec.dataset.columns)).with_columns(learnable(rows[spec.dataset.target], spec))
    rows = rows.with_columns(pl.lit("draft").alias("_batch"), pl.int_range(pl.len(), dtype=pl.Int64).alias("_row"))
    ids = identities(rows, spec)
    plan = choose_plan(rows, spec, ids)
    assembly = assemble(rows, ids, plan, spec)
    verdicts = {verdict.name: verdict for verdict in assembly.verdicts}
    accusations = {accusation.column: accusation for accusation in _accusations(verdicts, spec)}
    counts = {part: int(count) for part, count in assembly.counts.items()}
    return Rehearsal(
        accusations=list(accusations.values()),
        suspects=_suspects(verdicts, spec),
        groups=_groups(verdicts["no_undeclared_groups"]),
        refusals=[f"{verdict.name}: {verdict.reason}" for verdict in verdicts.values() if verdict.blocks],
        parts=counts,
        rows=rows.height,
        assembly=assembly,
        plan=plan,
    )


def quick_values(rehearsal: Rehearsal, spec: SystemSpec, metrics: list[str]) -> Quick | None:
    """Train a forest on train rows of the rehearsal and judge it on validation rows; None without these."""
    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.metrics.constant_guess import constant_guess
    from mlops_assets.metrics.outcomes import read_outcomes
    from mlops_assets.metrics.scoring import values
    from mlops_assets.model.prediction import predict
    from mlops_assets.model.training import train

    table, assembly = rehearsal.assembly.table, rehearsal.assembly
    most = max(QUICK_CELLS // max(len(assembly.columns), 1), FEWEST)
    fitted, judged = (_thinned(table.filter(_part=part), most).to_pandas() for part in ("train", "validation"))
    if not len(judged):
        return None
    classes = None if assembly.classes is None else sorted(fitted[spec.dataset.target].unique().tolist())
    version = FeaturesVersion(
        system=spec.name,
        digest="draft",
        dataset_digest="draft",
        dataset_table_version=0,
        table_version=0,
        columns=assembly.columns,
        target=spec.dataset.target,
        classes=classes,
        rows=assembly.counts,
        plan=rehearsal.plan,
    )
    trained = train(_with_forest(spec), version, fitted)
    truth = judged[spec.dataset.target].to_numpy()

    predicted = predict(trained.pipeline, judged.loc[:, version.names])
    outcomes = read_outcomes(spec.task, truth, predicted, classes, spec.evaluation.positive)
    learned = fitted[spec.dataset.target].to_numpy()
    guess = constant_guess(spec.task, learned, outcomes.classes, spec.evaluation.positive)
    constants = {name: values([name], guess.outcomes(name, outcomes))[name] for name in metrics}
    return Quick(_known(values(metrics, outcomes)), _known(constants), len(judged), len(fitted))


def _known(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if value is not None}


def _with_forest(spec: SystemSpec) -> SystemSpec:
    """The declaration with an estimator that is always quick, and good enough for a first idea."""
    estimator = f"sklearn.ensemble.{FOREST[spec.task]}"
    params = {"n_estimators": 50, "min_samples_leaf": 3}
    return spec.model_copy(
        update={"model": spec.model.model_copy(update={"estimator": estimator, "params": params, "onnx": "off"})}
    )


def _thinned(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    return frame if frame.height <= most else frame.gather_every(-(-frame.height // most))


def _accusations(verdicts: "dict[str, Verdict]", spec: SystemSpec) -> Iterator[Accusation]:
    leakage = verdicts["no_leakage"]
    for score in leakage.details.get("scores", []):
        if why := _leak(score, spec):
            yield Accusation(score["feature"], why)
    scores = {score["feature"]: score["assured"] for score in leakage.details.get("scores", [])}
    for pair in leakage.details.get("derivations", []):
        suspect = max(pair["features"], key=lambda name: (_shared_words(name, spec), scores.get(name, 0.0)))
        yield Accusation(
            suspect, f"suspected leak: {pair['formula']} gives {spec.dataset.target} (R² {pair['score']:.4f})"
        )
    for defect in verdicts["no_degenerate"].details["defects"]:
        yield Accusation(defect["feature"], defect["reason"])


def _leak(score: "ScoreRow", spec: SystemSpec) -> str:
    measure = "balanced accuracy" if spec.task == "classification" else "R²"
    if score["assured"] >= spec.features.leakage.max_single_feature_score:
        return f"suspected leak: alone it gives the target with {measure} {score['score']:.4f} ({score['method']})"
    if score["function"]:
        return "suspected leak: each of its values stands for one value of the target"
    if score["copy"]:
        return f"suspected leak: {score['copy']}"
    return "it names rows: (nearly) every row has a value of its own, without gaps" if score["identifier"] else ""


def _shared_words(name: str, spec: SystemSpec) -> int:
    return len(set(words(name)) & set(words(spec.dataset.target)))


def _groups(verdict: "Verdict") -> dict[str, str]:
    undeclared = [group for group in verdict.details.get("groups", []) if group["column"] in verdict.details["columns"]]
    return {
        group[
            "column"
        ]: f"rows of one value are alike: {group['distinct']:,} values of {group['rows_per_value']:.1f} rows"
        for group in sorted(undeclared, key=lambda group: group["distinct"])
    }


def _suspects(verdicts: "dict[str, Verdict]", spec: SystemSpec) -> dict[str, str]:
    measure = "balanced accuracy" if spec.task == "classification" else "R²"
    bound = spec.features.leakage.max_single_feature_score
    return {
        score["feature"]: f"alone it gives the target with {measure} {score['score']:.2f}"
        for score in verdicts["no_leakage"].details.get("scores", [])
        if SUSPICIOUS[spec.task] <= score["score"] and score["assured"] < bound
    }
