"""What a system declares about its evaluation: the gates are the one place where bounds live."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from mlops_assets.dataset.spec import DatasetSpec
from mlops_assets.declaration.base import Declared, Loc, Mistake, Task, one_of
from mlops_assets.evaluation.check_name import cut, is_safe, made_safe, mark_of
from mlops_assets.evaluation.diagnosis_catalogue import diagnoses_of, measures_of
from mlops_assets.metrics.catalogue import BINARY_ONLY, METRICS, metrics_of
from mlops_assets.verdict import Severity, Side

CHECKS = ("beats_baseline",)

RENAMED_DIAGNOSES = {"serving": "efficiency"}
"""Names of earlier releases, which old declarations may still say."""


class SliceSpec(Declared):
    """Rows whose column holds one value."""

    column: str
    """A declared dataset column."""
    equals: bool | int | float | str
    """The value that selects rows."""


class GateSpec(Declared):
    """One condition that a model must meet on the test rows."""

    metric: str | None = None
    """A metric of the task; with ``check: beats_baseline`` the metric to compare by."""
    measure: str | None = None
    """A number of a diagnosis, as ``<diagnosis>.<measure>``."""
    at_least: float | None = None
    """Smallest passing value."""
    at_most: float | None = None
    """Largest passing value."""
    judged_on: Literal["value", "interval"] = "value"
    """``interval``: the conservative end of the interval must meet the bound."""
    check: Literal["beats_baseline"] | None = None
    """``beats_baseline``: better than the best constant for the metric, and than its own answers to other rows."""
    severity: Severity = "block"
    """``block`` stops registration, ``warn`` only tells."""
    slice: SliceSpec | None = None
    """Only these rows."""
    min_rows: int = Field(default=30, ge=1)
    """On fewer rows the gate is "not evaluated", which is not a pass."""
    _collides: bool = PrivateAttr(default=False)

    @model_validator(mode="after")
    def _one_condition(self) -> "GateSpec":
        if self.metric is not None and self.metric not in METRICS:
            raise Mistake(("metric",), f"{self.metric!r} is not a metric. Metrics: {one_of(METRICS)}")
        if self.measure is not None and (self.metric or self.check or self.slice):
            raise Mistake(("measure",), f"the gate on {self.measure!r} takes no metric, check or slice")
        bounds = [self.at_least, self.at_most].count(None)
        named = self.metric or self.measure
        if self.check is None and named is None:
            raise Mistake((), f"a gate names a metric, a measure or a check ({one_of(CHECKS)})")
        if self.check is None and bounds != 1:
            key = "metric" if self.metric else "measure"
            raise Mistake((key,), f"the gate on {named!r} needs exactly one of at_least, at_most")
        if self.check is not None and bounds != 2:
            raise Mistake(("check",), f"{self.check!r} takes no at_least or at_most")
        return self

    @property
    def side(self) -> Side | None:
        """On which side of the bound a value passes; None: the gate has no bound."""
        if self.at_least is not None:
            return "at_least"
        return None if self.at_most is None else "at_most"

    @property
    def bound(self) -> float | None:
        """The last passing value."""
        return self.at_least if self.at_least is not None else self.at_most

    @property
    def description(self) -> str:
        """The condition as a sentence."""
        where = f" where {self.slice.column} is {self.slice.equals!r}" if self.slice else ""
        if self.side is None:
            return f"Better than the best constant guess, and than chance{where}."
        bound = f"{self.side.replace('_', ' ')} {self.bound:g}"
        end = "the conservative end of its interval" if self.judged_on == "interval" else "its value"
        return f"{self.metric or self.measure}: {end} is {bound}{where}, on {self.min_rows} rows or more."

    @property
    def kind(self) -> str:
        """What decides how the gate is judged: ``metric``, ``measure`` or the name of a check."""
        return self.check or ("metric" if self.measure is None else "measure")

    @property
    def name(self) -> str:
        """Name of the gate and of its asset check: letters, digits and underscores, whatever the slice is called."""
        plain = self._plain_name
        marked = self._collides or (self.slice is not None and not is_safe(self.slice.column))
        return cut(f"{plain}_{mark_of(self.condition)}" if marked else plain)

    @property
    def condition(self) -> tuple[str, ...]:
        """What the gate asks of which rows, bound aside; no two gates of a system have the same."""
        chosen = self.slice
        where = () if chosen is None else (chosen.column, type(chosen.equals).__name__, str(chosen.equals))
        return (self._base, *where)

    @property
    def _base(self) -> str:
        named = self.metric or (self.measure or "").replace(".", "_")
        base = self.check or f"{named}_{self.side}"
        if self.check and self.metric:
            base = f"{base}_{self.metric}"
        return f"{base}_interval" if self.judged_on == "interval" else base

    @property
    def _plain_name(self) -> str:
        if self.slice is None:
            return self._base
        return f"{self._base}__{made_safe(self.slice.column)}_{made_safe(str(self.slice.equals))}"

    def among(self, gates: "Iterable[GateSpec]") -> "GateSpec":
        """The same gate, marked where another of ``gates`` with another condition would have the same name."""
        marked = self.model_copy()
        marked._collides = any(
            other._plain_name == self._plain_name and other.condition != self.condition for other in gates
        )
        return marked


class EvaluationSpec(Declared):
    """Metrics, intervals and gates on the test rows."""

    gates: list[GateSpec] = [GateSpec(check="beats_baseline")]
    """Conditions for registration."""
    positive: bool | int | str | None = None
    """The positive class of a two-class target; by default the larger of two values."""
    diagnoses: list[str] | None = None
    """Sections of the report beside metrics and gates; by default all of the task but fairness and efficiency."""
    monotone: dict[str, Literal["increasing", "decreasing"]] = {}
    """Features whose rise must not lower (raise) the prediction; measured as ``consistency.monotone_violations``."""
    protected: list[str | Annotated[list[str], Field(min_length=2)]] = []
    """Dataset columns by which the diagnosis ``fairness`` compares; a list of several crosses them."""
    resamples: int = Field(default=2000, ge=200)
    """Bootstrap resamples behind every interval that draws."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Coverage that intervals are made for."""

    @property
    def protected_columns(self) -> list[str]:
        """Every column that is protected, alone or crossed with another."""
        named = (each if isinstance(each, list) else [each] for each in self.protected)
        return list(dict.fromkeys(name for names in named for name in names))

    @field_validator("gates")
    @classmethod
    def _tell_apart(cls, gates: list[GateSpec]) -> list[GateSpec]:
        return [gate.among(gates) for gate in gates]

    def named_columns(self) -> Iterator[tuple[Loc, str]]:
        """Every dataset column that is named here, with the key that names it."""
        for index, protected in enumerate(self.protected):
            if isinstance(protected, str):
                yield ("protected", index), protected
            else:
                yield from ((("protected", index, place), name) for place, name in enumerate(protected))
        for index, gate in enumerate(self.gates):
            if gate.slice:
                yield ("gates", index, "slice", "column"), gate.slice.column

    def mistakes(self, task: Task, dataset: DatasetSpec) -> Iterator[Mistake]:
        """Metrics, diagnoses and measures that are not of the task, and gates declared twice."""
        for index, gate in enumerate(self.gates):
            yield from metric_mistakes(("gates", index, "metric"), gate.metric, task, dataset)
        conditions = [gate.condition for gate in self.gates]
        for index, condition in enumerate(conditions):
            if condition in conditions[:index]:
                yield Mistake(("gates", index), f"a gate {self.gates[index].name!r} is declared twice")
        for index, name in enumerate(self.diagnoses or []):
            if name in RENAMED_DIAGNOSES:
                yield Mistake(("diagnoses", index), f"{name!r} is now called {RENAMED_DIAGNOSES[name]!r}")
            elif name not in diagnoses_of(task):
                message = f"{name!r} is no {task} diagnosis. It has: {one_of(diagnoses_of(task))}"
                yield Mistake(("diagnoses", index), message)
        for index, gate in enumerate(self.gates):
            yield from measure_mistakes(("gates", index, "measure"), gate.measure, task)


def metric_mistakes(loc: Loc, metric: str | None, task: Task, dataset: DatasetSpec) -> Iterator[Mistake]:
    """Why ``metric``, declared at ``loc``, cannot be computed for this task and target."""
    if metric is None:
        return
    if metric not in METRICS:
        yield Mistake(loc, f"{metric!r} is not a metric. Metrics: {one_of(metrics_of(task))}")
    elif METRICS[metric].task != task:
        yield Mistake(loc, f"{metric!r} is not a {task} metric. Metrics: {one_of(metrics_of(task))}")
    elif metric in BINARY_ONLY and dataset.declared_classes > 2:
        remedy = f"; use {metric}_macro" if f"{metric}_macro" in METRICS else ""
        yield Mistake(loc, f"{metric!r} is for two classes{remedy}")


def measure_mistakes(loc: Loc, measure: str | None, task: Task) -> Iterator[Mistake]:
    """Why ``measure``, declared at ``loc``, is none of this task's diagnoses."""
    if measure is None or measure in measures_of(task):
        return
    diagnosis, _, number = measure.partition(".")
    if diagnosis in RENAMED_DIAGNOSES:
        yield Mistake(loc, f"{measure!r} is now called '{RENAMED_DIAGNOSES[diagnosis]}.{number}'")
    else:
        yield Mistake(loc, f"{measure!r} is not a measure. Measures: {one_of(measures_of(task))}")
