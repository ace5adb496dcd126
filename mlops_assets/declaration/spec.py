"""SystemSpec: the whole declaration of one system, made of each stage's own part."""

import hashlib
from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from mlops_assets.automation.spec import AutomationSpec, ResourcesSpec
from mlops_assets.card.spec import CardSpec
from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, Mistake, Name, Task, one_of
from mlops_assets.evaluation.diagnosis_catalogue import UNDIRECTED, diagnoses_of, measures_of
from mlops_assets.evaluation.spec import EvaluationSpec
from mlops_assets.features.spec import FeaturesSpec
from mlops_assets.metrics.catalogue import BINARY_ONLY, METRICS, metrics_of, primary_metric
from mlops_assets.model.spec import ModelSpec
from mlops_assets.registry.spec import RegistrySpec

METHOD_OF = {"delong": "roc_auc", "mcnemar": "accuracy"}
"""The metric of a method of comparison that is not for every metric."""


class SystemSpec(Declared):
    """One ML product, from landed file to champion."""

    name: Name
    """Name of the system: asset keys, jobs, tables and the registered model carry it."""
    task: Task
    """``classification`` or ``regression``."""
    dataset: DatasetSpec
    """Rows: where they come from and the contract they must meet."""
    description: str = ""
    """What the system decides, for whom."""
    owners: list[str] = []
    """E-mail addresses, or teams as ``team:name``."""
    features: FeaturesSpec = FeaturesSpec()
    """From rows to model inputs, and the split."""
    model: ModelSpec = ModelSpec()
    """Preparation and estimator."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """Metrics, intervals and gates."""
    registry: RegistrySpec = RegistrySpec()
    """Comparison with the champion."""
    automation: AutomationSpec = AutomationSpec()
    """When jobs start."""
    resources: ResourcesSpec = ResourcesSpec()
    """Size of one step on a cluster."""
    card: CardSpec = CardSpec()
    """What only a person can say, for the model card."""

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "SystemSpec":
        for mistake in self._mistakes():
            raise mistake
        return self

    @property
    def primary_metric(self) -> str:
        """The metric by which models are compared."""
        return primary_metric(self.task, self.registry.metric)

    def feature_columns(self) -> list[str]:
        """Dataset columns that features are made from, in declared order."""
        if self.features.columns is not None:
            return list(self.features.columns)
        split = self.features.split
        left_out = {self.dataset.target, *self.dataset.key, *self.features.exclude, split.group, split.time}
        return [
            name for name, column in self.dataset.columns.items() if name not in left_out and not column.post_outcome
        ]

    def context_columns(self) -> list[str]:
        """Dataset columns that travel beside the features: group, time, what gates slice and intervals differ by."""
        split = self.features.split
        sliced = (*self.evaluation.gates, *self.registry.guards)
        slices = [one.slice.column for one in sliced if one.slice]
        columns = (split.group, split.time, *slices, *self.evaluation.protected, self._intervals_column())
        return list(dict.fromkeys(name for name in columns if name))

    def digest(self, *parts: str) -> str:
        """SHA-256 of the named parts of the declaration: what a stage's code version is made of."""
        selected = {part: getattr(self, part) for part in ("name", "task", *parts)}
        text = "\n".join(f"{k}={_canonical(value)}" for k, value in sorted(selected.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def _mistakes(self) -> Iterator[Mistake]:
        yield from self._unknown_columns()
        yield from self._impossible_features()
        yield from self._impossible_model()
        yield from self._foreign_metrics()
        yield from self._foreign_diagnoses()
        yield from self._impossible_promotion()

    def _unknown_columns(self) -> Iterator[Mistake]:
        features, split = self.features, self.features.split
        named: list[tuple[tuple[str | int, ...], str | None]] = [
            (("features", "split", "group"), split.group),
            (("features", "split", "time"), split.time),
            (("model", "intervals", "by"), self._intervals_column()),
            *((("features", "columns", i), name) for i, name in enumerate(features.columns or [])),
            *((("features", "exclude", i), name) for i, name in enumerate(features.exclude)),
            *((("evaluation", "protected", i), name) for i, name in enumerate(self.evaluation.protected)),
            *(
                (("evaluation", "gates", i, "slice", "column"), gate.slice.column)
                for i, gate in enumerate(self.evaluation.gates)
                if gate.slice
            ),
            *(
                (("registry", "guards", i, "slice", "column"), guard.slice.column)
                for i, guard in enumerate(self.registry.guards)
                if guard.slice
            ),
        ]
        for loc, name in named:
            if name is not None and name not in self.dataset.columns:
                yield Mistake(
                    loc, f"{name!r} is not a declared column. Declared columns: {one_of(self.dataset.columns)}"
                )
        if split.time and self.dataset.columns[split.time].type not in ("date", "datetime"):
            found = self.dataset.columns[split.time].type
            yield Mistake(("features", "split", "time"), f"{split.time!r} is {found}; a date or datetime is needed")

    def _impossible_features(self) -> Iterator[Mistake]:
        for index, name in enumerate(self.features.columns or []):
            loc = ("features", "columns", index)
            if name == self.dataset.target:
                yield Mistake(loc, f"{name!r} is the target")
            if self.dataset.columns[name].post_outcome:
                yield Mistake(loc, f"{name!r} is known only after the outcome (post_outcome)")
        if not self.feature_columns():
            yield Mistake(("features",), "no column is left to make features from")

    def _impossible_model(self) -> Iterator[Mistake]:
        model, split = self.model, self.features.split
        for key, declared in (("calibration", model.calibration != "none"), ("threshold", model.threshold is not None)):
            if declared and self.task != "classification":
                yield Mistake(("model", key), f"{key} is for classification, the task is {self.task}")
            if declared and split.validation == 0 and split.validation_from is None:
                yield Mistake(("model", key), f"{key} needs validation rows, features.split.validation is 0")
        if model.threshold and self._declared_classes() > 2:
            told = f"a threshold is for two classes, {self.dataset.target!r} has {self._declared_classes()}"
            yield Mistake(("model", "threshold"), told)
        metric = model.threshold and model.threshold.maximise
        of_labels = [name for name in metrics_of("classification") if METRICS[name].needs == "labels"]
        if metric and metric not in of_labels:
            told = f"{metric!r} is not a metric of predicted labels. Metrics: {one_of(of_labels)}"
            yield Mistake(("model", "threshold", "maximise"), told)
        yield from self._impossible_segments()

    def _impossible_segments(self) -> Iterator[Mistake]:
        name, loc = self._intervals_column(), ("model", "intervals", "by")
        if name is None:
            return
        column = self.dataset.columns[name]
        if name == self.dataset.target or column.post_outcome:
            yield Mistake(loc, f"{name!r} is known only after the outcome, when intervals are no longer asked for")
        if column.type not in ("boolean", "integer", "string"):
            yield Mistake(loc, f"{name!r} is {column.type}; intervals are by a boolean, integer or string column")

    def _intervals_column(self) -> str | None:
        by = self.model.intervals.by if self.model.intervals else "none"
        return None if by in ("none", "prediction") else by

    def _foreign_metrics(self) -> Iterator[Mistake]:
        metrics = [
            (("evaluation", "gates", i, "metric"), gate.metric) for i, gate in enumerate(self.evaluation.gates)
        ] + [
            (("registry", "metric"), self.registry.metric),
            *((("registry", "guards", i, "metric"), guard.metric) for i, guard in enumerate(self.registry.guards)),
        ]
        for loc, metric in metrics:
            if metric is None:
                continue
            if metric not in METRICS:
                yield Mistake(loc, f"{metric!r} is not a metric. Metrics: {one_of(metrics_of(self.task))}")
            elif METRICS[metric].task != self.task:
                allowed = one_of(metrics_of(self.task))
                yield Mistake(loc, f"{metric!r} is not a {self.task} metric. Metrics: {allowed}")
            elif metric in BINARY_ONLY and self._declared_classes() > 2:
                remedy = f"; use {metric}_macro" if f"{metric}_macro" in METRICS else ""
                yield Mistake(loc, f"{metric!r} is for two classes{remedy}")
        names = [gate.name for gate in self.evaluation.gates]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Mistake(("evaluation", "gates", index), f"a gate {name!r} is declared twice")

    def _foreign_diagnoses(self) -> Iterator[Mistake]:
        evaluation, known = self.evaluation, measures_of(self.task)
        for index, name in enumerate(evaluation.diagnoses or []):
            if name not in diagnoses_of(self.task):
                allowed = one_of(diagnoses_of(self.task))
                yield Mistake(
                    ("evaluation", "diagnoses", index), f"{name!r} is no {self.task} diagnosis. It has: {allowed}"
                )
        for index, gate in enumerate(evaluation.gates):
            if gate.measure is not None and gate.measure not in known:
                told = f"{gate.measure!r} is not a measure. Measures: {one_of(known)}"
                yield Mistake(("evaluation", "gates", index, "measure"), told)

    def _impossible_promotion(self) -> Iterator[Mistake]:
        registry, known = self.registry, measures_of(self.task)
        if registry.cost and self.task == "regression":
            yield Mistake(("registry", "cost"), "costs are of classes, the task is regression")
        if registry.cost and registry.metric:
            yield Mistake(("registry", "cost"), f"the comparison is by cost or by metric {registry.metric!r}, not both")
        if registry.method in METHOD_OF:
            suited, compared = METHOD_OF[registry.method], self.primary_metric
            if registry.cost or compared != suited:
                told = "the cost" if registry.cost else f"metric {compared!r}"
                yield Mistake(("registry", "method"), f"{registry.method!r} is for {suited}, compared is {told}")
            if self.features.split.group:
                yield Mistake(("registry", "method"), f"{registry.method!r} is for rows without groups. Use 'auto'")
        for index, guard in enumerate(registry.guards):
            loc = ("registry", "guards", index, "measure")
            if guard.measure is not None and guard.measure not in known:
                yield Mistake(loc, f"{guard.measure!r} is not a measure. Measures: {one_of(known)}")
            if guard.measure in UNDIRECTED:
                yield Mistake(loc, f"of {guard.measure!r} neither more nor less is better")

    def _declared_classes(self) -> int:
        return len(self.dataset.columns[self.dataset.target].allowed or [])


def _canonical(value: Any) -> str:
    return value.model_dump_json() if isinstance(value, Declared) else repr(value)
