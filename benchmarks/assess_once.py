"""One assessment in a process of its own: ``python -m benchmarks.assess_once TASK ROWS``."""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.figure import seconds
from benchmarks.process import peak_bytes
from benchmarks.wide import FLOATS, LEVELS, wide_rows
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.assessment import assess, subject_of
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES, diagnoses_of
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import Report
from mlops_assets.features.table import Parts
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.model.fitted_model import FittedModel
from mlops_assets.model.training import train

GOAL = "goal"


def main(task: str, rows: str) -> None:
    """Train on as many rows as are assessed, and print seconds of the assessment and peak memory."""
    spec, count = _spec(task), int(rows)
    parts = {"train": count, "validation": count // 4, "test": count}
    frames = {part: _rows(task, part, size, seed) for seed, (part, size) in enumerate(parts.items())}
    features = _features(task, parts)
    trained = train(spec, features, frames["train"], frames["validation"])
    fitted, parts = FittedModel.of(trained, digest="1" * 64), Parts(**frames)
    subject = subject_of(spec, features, parts, fitted)
    baselines = fitted.baseline_predictions(subject.inputs)
    reports: list[Report] = []

    def assessed() -> None:
        report = assess(subject, baselines)
        render(report)
        reports.append(report)

    elapsed = seconds(assessed)
    _require_whole(reports[0])
    sys.stdout.write(json.dumps({"seconds": elapsed, "peak_bytes": peak_bytes()}) + "\n")


def _spec(task: str) -> SystemSpec:
    columns = {name: {"type": "float"} for name in FLOATS} | {name: {"type": "string"} for name in LEVELS}
    columns |= {GOAL: {"type": "integer" if task == "classification" else "float"}}
    declared: dict[str, Any] = {"name": "wide", "task": task, "dataset": {"target": GOAL, "columns": columns}}
    return SystemSpec.model_validate(declared)


def _rows(task: str, part: str, count: int, seed: int) -> pd.DataFrame:
    rows = wide_rows(count, seed).to_pandas().astype(dict.fromkeys(LEVELS, object))
    noise = np.random.default_rng(100 + seed).normal(size=count)
    signal = rows[FLOATS[0]] + 0.5 * rows[FLOATS[1]] * rows[FLOATS[2]] + (rows["category_1"] == "level_00") + noise
    goal = (signal > 0.3).astype(int) if task == "classification" else signal
    return rows.assign(**{GOAL: goal, "_identity": range(count), "_part": part, "_batch": part, "_row": range(count)})


def _features(task: str, parts: dict[str, int]) -> FeaturesVersion:
    kinds = dict.fromkeys(FLOATS, "numeric") | dict.fromkeys(LEVELS, "categorical")
    return FeaturesVersion(
        system="wide",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=1,
        table_version=1,
        columns=[FeatureColumn.model_validate({"name": name, "kind": kind}) for name, kind in kinds.items()],
        target=GOAL,
        classes=[0, 1] if task == "classification" else None,
        rows={"train": parts["train"], "validation": parts["validation"], "test": parts["test"], "excluded": 0},
        plan=SplitPlan(system="wide", digest="6" * 64),
    )


def _require_whole(report: Report) -> None:
    """A suite that broke would be a fast one."""
    missing = {name for name in diagnoses_of(report.task) if DIAGNOSES[name].standard}
    missing -= {one.name for one in report.diagnoses if any(measure.value is not None for measure in one.measures)}
    if missing or report.outcome != "passed":
        raise SystemExit(f"The assessment is not whole: {sorted(missing)}, gates {report.outcome}")


if __name__ == "__main__":
    main(*sys.argv[1:])
