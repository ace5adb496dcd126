"""SystemSpec: the whole declaration of one system, made of each stage's own part."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, model_validator

from mlops_assets.automation.spec import AutomationSpec, ResourcesSpec
from mlops_assets.card.spec import CardSpec
from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, Mistake, Name, Task, one_of
from mlops_assets.declaration.environments import Environment
from mlops_assets.evaluation.spec import EvaluationSpec
from mlops_assets.features.spec import FeaturesSpec
from mlops_assets.metrics.catalogue import primary_metric
from mlops_assets.model.spec import ModelSpec
from mlops_assets.registry.spec import LOOKS, RegistrySpec


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
    environments: dict[Environment, dict[str, Any]] = {}
    """By environment, what differs there: mappings are merged with those above, any other value takes their place.
    ``name``, ``task`` and ``dataset.target`` are the same everywhere."""

    _place: Path | None = PrivateAttr(default=None)
    _environment: Environment = PrivateAttr(default="local")
    _elsewhere: dict[str, "SystemSpec"] = PrivateAttr(default_factory=dict)

    @property
    def place(self) -> Path | None:
        """The ``defs.yaml`` that it was read from; None for one that no file declares."""
        return self._place

    def placed(self, path: Path) -> "SystemSpec":
        """The same, read from ``path``."""
        for spec in (self, *self._elsewhere.values()):
            spec._place = path
        return self

    @property
    def environment(self) -> Environment:
        """Where what it says holds: as ``MLOPS_ENV`` was when it was read."""
        return self._environment

    @property
    def elsewhere(self) -> Mapping[str, "SystemSpec"]:
        """What the same declaration says in every other environment, where it names any."""
        return self._elsewhere

    def resolved_in(self, environment: Environment, elsewhere: Mapping[str, "SystemSpec"]) -> "SystemSpec":
        """The same, as what the declaration says in ``environment``, beside what it says ``elsewhere``."""
        self._environment, self._elsewhere = environment, dict(elsewhere)
        return self

    def __eq__(self, other: object) -> bool:
        """Whether both declare the same, wherever they were read."""
        return isinstance(other, SystemSpec) and self.model_dump() == other.model_dump()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "SystemSpec":
        for mistake in self._mistakes():
            raise mistake
        return self

    @property
    def primary_metric(self) -> str:
        """The metric by which models are compared."""
        return primary_metric(self.task, self.registry.metric)

    @property
    def looks(self) -> int:
        """How many comparisons with a champion share the confidence of ``registry``."""
        by_itself = self.automation.train is not None or self.automation.on_new_data
        return self.registry.looks or (LOOKS if by_itself else 1)

    @property
    def confidence_of_look(self) -> float:
        """Confidence of each of the comparisons, by Bonferroni's inequality: their errors add up at most."""
        return 1 - (1 - self.registry.confidence) / self.looks

    def feature_columns(self) -> list[str]:
        """Dataset columns that features are made from, in declared order."""
        return self.features.used_columns(self.dataset)

    def context_columns(self) -> list[str]:
        """Dataset columns that travel beside the features: group, time, what gates slice and intervals differ by."""
        split = self.features.split
        sliced = (*self.evaluation.gates, *self.registry.guards)
        slices = [condition.slice.column for condition in sliced if condition.slice]
        segments = self.model.intervals.column if self.model.intervals else None
        columns = (split.group, split.time, *slices, *self.evaluation.protected_columns, segments)
        return list(dict.fromkeys(name for name in columns if name))

    def digest(self, *parts: str) -> str:
        """SHA-256 of the named parts of the declaration: what a stage's code version is made of."""
        selected = {part: getattr(self, part) for part in ("name", "task", *parts)}
        text = "\n".join(f"{k}={_canonical(value)}" for k, value in sorted(selected.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def _mistakes(self) -> Iterator[Mistake]:
        task, dataset, split = self.task, self.dataset, self.features.split
        yield from self._undeclared_columns()
        yield from (mistake.below("features") for mistake in self.features.mistakes(dataset))
        yield from (mistake.below("model") for mistake in self.model.mistakes(task, dataset, split))
        yield from (mistake.below("evaluation") for mistake in self.evaluation.mistakes(task, dataset))
        yield from (mistake.below("registry") for mistake in self.registry.mistakes(task, dataset, split))

    def _undeclared_columns(self) -> Iterator[Mistake]:
        columns = self.dataset.columns
        for key, part in (
            ("features", self.features),
            ("model", self.model),
            ("evaluation", self.evaluation),
            ("registry", self.registry),
        ):
            for loc, name in part.named_columns():
                if name not in columns:
                    message = f"{name!r} is not a declared column. Declared columns: {one_of(columns)}"
                    yield Mistake((key, *loc), message)


def _canonical(value: object) -> str:
    return value.model_dump_json() if isinstance(value, Declared) else repr(value)
