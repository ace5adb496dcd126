"""What a system declares about registration, promotion and the life of its versions."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from mlops_assets.comparison.cost import CostSpec
from mlops_assets.comparison.method import METRIC_TESTS, Method
from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, Loc, Mistake, Task, one_of
from mlops_assets.declaration.environments import ENVIRONMENTS
from mlops_assets.evaluation.diagnosis_catalogue import better_of
from mlops_assets.evaluation.spec import SliceSpec, measure_mistakes, metric_mistakes
from mlops_assets.features.spec import SplitSpec
from mlops_assets.metrics.catalogue import primary_metric
from mlops_assets.registry.grounds import Ground

Promotion = Literal["automatic", "approval"]


class GuardSpec(Declared):
    """One number that must not get worse when the champion changes."""

    metric: str | None = None
    """A metric, compared like the metric of the comparison, on the same rows."""
    measure: str | None = None
    """A number of a diagnosis, as ``<diagnosis>.<measure>``, compared between the two reports."""
    margin: float = Field(ge=0)
    """How much worse it may be: for a metric at the conservative end of the interval, in its own units."""
    slice: SliceSpec | None = None
    """Only these rows; with a metric."""

    @model_validator(mode="after")
    def _one_number(self) -> "GuardSpec":
        if (self.metric is None) == (self.measure is None):
            raise Mistake((), "a guard names either a metric or a measure")
        if self.measure is not None and self.slice is not None:
            raise Mistake(("slice",), f"the guard on {self.measure!r} takes no slice")
        return self

    @property
    def name(self) -> str:
        where = f" where {self.slice.column} is {self.slice.equals!r}" if self.slice else ""
        return f"{self.metric or self.measure}{where}"

    def mistakes(self, task: Task, dataset: DatasetSpec) -> Iterator[Mistake]:
        """Why its number cannot rank two models of this task."""
        yield from metric_mistakes(("metric",), self.metric, task, dataset)
        yield from measure_mistakes(("measure",), self.measure, task)
        if self.measure is not None and better_of(self.measure) == "neither":
            yield Mistake(("measure",), f"of {self.measure!r} neither more nor less is better")


LOOKS = 60
"""Comparisons that share the confidence where a system trains by itself: two months of days."""


class RegistrySpec(Declared):
    """How a challenger is compared with the champion, and who decides."""

    metric: str | None = None
    """Metric of the comparison; by default accuracy or mean absolute error."""
    cost: CostSpec | None = None
    """What a wrong prediction costs; the mean cost is then what is compared instead of a metric."""
    method: Method = "auto"
    """Method of the interval. ``auto``: DeLong for roc_auc of two classes, McNemar for accuracy, else a paired
    bootstrap."""
    margin: float = Field(default=0.0, ge=0)
    """How much worse, in units of the metric, counts as not inferior: at the conservative end of the interval."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence of the interval, for all ``looks`` together."""
    looks: int | None = Field(default=None, ge=1)
    """How many comparisons share the confidence: an equal challenger is called superior in (1 - confidence) / 2 of all
    series of so many. By default 60 where the system trains by itself, and 1 where it does not."""
    promote_on: list[Ground] = ["superior"]
    """What earns the place: ``superior``; ``non_inferior``, or only if ``_fresher`` (trained on data that landed later)
    or ``_simpler`` (an artefact of at most half the size)."""
    guards: list[GuardSpec] = []
    """What must not get worse on the way."""
    promotion: Promotion | dict[str, Promotion] = "automatic"
    """``approval``: a person decides with ``mlops approve``; by environment, one not named is ``automatic``."""
    approvers: list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]] = []
    """Who may approve and decline: names as commands and the UI know them, or ``group:NAME`` of a trusted proxy; they
    and the system's ``owners`` may roll back, archive and accept a ledger. Without any, everybody may."""
    approver_differs: bool = False
    """Whether the approver must be another one than who registered the version."""
    trust_mlflow_tag: bool = False
    """Whether an approval by tag in MLflow counts where approvers or ``approver_differs`` are declared, although MLflow
    does not say who wrote the tag."""
    moved_alias: Literal["mark", "restore"] = "mark"
    """An alias that was moved by hand is marked as ungated, or also moved back."""
    keep: int = Field(default=10, ge=1)
    """Versions that ``mlops archive`` leaves beside those that an alias carries."""

    @model_validator(mode="after")
    def _known_environments(self) -> "RegistrySpec":
        for name in self.promotion if isinstance(self.promotion, dict) else ():
            if name not in ENVIRONMENTS:
                raise Mistake(
                    ("promotion", name), f"{name!r} is not an environment. Environments: {one_of(ENVIRONMENTS)}"
                )
        return self

    def promotion_in(self, environment: str) -> Promotion:
        """Who decides in ``environment``."""
        if isinstance(self.promotion, dict):
            return self.promotion.get(environment, "automatic")
        return self.promotion

    def named_columns(self) -> Iterator[tuple[Loc, str]]:
        """Every dataset column that is named here, with the key that names it."""
        for index, guard in enumerate(self.guards):
            if guard.slice:
                yield ("guards", index, "slice", "column"), guard.slice.column

    def mistakes(self, task: Task, dataset: DatasetSpec, split: SplitSpec) -> Iterator[Mistake]:
        """What of the comparison and its guards does not fit the task, the target or the split."""
        yield from metric_mistakes(("metric",), self.metric, task, dataset)
        if self.cost and task == "regression":
            yield Mistake(("cost",), "costs are of classes, the task is regression")
        if self.cost and self.metric:
            yield Mistake(("cost",), f"the comparison is by cost or by metric {self.metric!r}, not both")
        yield from self._unsuited_method(task, split)
        for index, guard in enumerate(self.guards):
            yield from (mistake.below("guards", index) for mistake in guard.mistakes(task, dataset))

    def _unsuited_method(self, task: Task, split: SplitSpec) -> Iterator[Mistake]:
        if self.method not in METRIC_TESTS:
            return
        suited, compared = METRIC_TESTS[self.method].metric, primary_metric(task, self.metric)
        if self.cost or compared != suited:
            subject = "the cost" if self.cost else f"metric {compared!r}"
            yield Mistake(("method",), f"{self.method!r} is for {suited}, compared is {subject}")
        if split.group or split.time:
            which = "groups" if split.group else "an order in time"
            yield Mistake(("method",), f"{self.method!r} is for rows without {which}. Use 'auto'")
