"""The target: its task, its classes, and what makes a column impossible to predict."""

import difflib
import math
from dataclasses import dataclass, field

import polars as pl

from mlops_assets.dataset.reading.parsing import parsed
from mlops_assets.declaration.base import Task, one_of
from mlops_assets.drafting.column_facts import ColumnFacts
from mlops_assets.drafting.column_names import yes_rank
from mlops_assets.drafting.survey import Survey
from mlops_assets.errors import SpecError
from mlops_assets.features.version import Label

FEW = 10
"""Whole numbers with at most this many values are taken for classes."""
MOST_CLASSES = 100
ROWS_PER_CLASS = 5
RARE, EVEN = 0.1, 0.4
"""Share of the rarer of two classes below which average precision, and from which accuracy, tells most."""
EVEN_CLASSES = 0.5
"""Share of the rarest of many classes, in units of an even share, from which accuracy tells most."""
SKEWED = 1.0


@dataclass(frozen=True)
class Target:
    """What is to be predicted."""

    name: str
    task: Task
    type: str
    rows: int
    """Rows that have a target."""
    missing: int
    why: str
    """Why this task."""
    metric: str
    """By which models are compared."""
    metric_why: str
    classes: dict[Label, int] = field(default_factory=dict)
    """Rows by class, in the order of the classes."""
    positive: Label | None = None
    log: bool = False
    """Whether the logarithm is easier to learn."""
    log_why: str = ""

    @property
    def smallest_class(self) -> int:
        return min(self.classes.values())


def choose_target(survey: Survey, name: str, task: Task | None) -> Target:
    """The target called ``name``, for the declared or guessed ``task``.

    Raises:
        SpecError: if there is no such column or nothing can be predicted of it.
    """
    facts = _facts(survey, name)
    if facts.obstacle == "decimal comma":
        raise SpecError(f"the target {name!r} is written with a decimal comma. Remedy: save it with decimal points")
    _require_values(facts)
    guessed, why = _guess(facts)
    chosen = task or guessed
    why = why if chosen == guessed else f"as asked; {why} would make it {guessed}"
    return _classes(facts, why) if chosen == "classification" else _number(survey, facts, why)


def _facts(survey: Survey, name: str) -> ColumnFacts:
    if name in survey.columns:
        return survey.columns[name]
    if name in survey.unreadable:
        raise SpecError(f"the target {name!r} cannot be declared: {survey.unreadable[name]}. Remedy: rename the column")
    by_case = {column.casefold(): column for column in survey.columns}
    close = difflib.get_close_matches(name.casefold(), by_case, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(by_case[lower]) for lower in close)}?" if close else ""
    raise SpecError(f"{survey.file!r} has no column {name!r}.{hint} Columns: {one_of(survey.columns)[:500]}")


def _require_values(facts: ColumnFacts) -> None:
    if facts.type is None:
        raise SpecError(f"the target {facts.name!r} cannot be learned: {facts.obstacle}. Remedy: name another --target")
    if facts.counts is not None and len(facts.counts) < 2:
        value = next(iter(facts.counts))
        obstacle = f"it is {value!r} in all {facts.present:,} rows that have one"
        raise SpecError(f"the target {facts.name!r} cannot be learned: {obstacle}. Remedy: name another --target")
    if facts.type in ("date", "datetime"):
        raise SpecError(
            f"the target {facts.name!r} is a {facts.type}, which no task predicts. Remedy: make a number of it, such "
            "as days from a fixed date, or name another --target"
        )


def _guess(facts: ColumnFacts) -> tuple[Task, str]:
    distinct = len(facts.counts) if facts.counts is not None else None
    if facts.type == "boolean":
        return "classification", "true or false"
    if facts.type == "string":
        return "classification", f"text with {distinct or 'many'} values"
    if facts.whole and distinct is not None and distinct <= FEW:
        return "classification", f"{distinct} whole numbers"
    return "regression", f"{f'{distinct:,}' if distinct else 'many'} distinct numbers"


def _classes(facts: ColumnFacts, why: str) -> Target:
    if facts.type not in ("boolean", "string") and not facts.whole:
        raise SpecError(
            f"the target {facts.name!r} holds numbers that are not whole, which are no classes. "
            "Remedy: --task regression, or make classes of it"
        )
    counts = _typed_counts(facts)
    if len(counts) > MOST_CLASSES or len(counts) * ROWS_PER_CLASS > facts.present:
        raise SpecError(
            f"the target {facts.name!r} has {len(counts):,} classes in {facts.present:,} rows, too few rows each to "
            f"learn from. Remedy: name another --target{'' if facts.type == 'string' else ', or --task regression'}"
        )
    if len(counts) < 2:
        raise SpecError(f"the target {facts.name!r} is {next(iter(counts))!r} in every row. Remedy: another --target")
    metric, metric_why = _metric_of(counts)
    kind = facts.type if facts.type in ("boolean", "string") else "integer"
    positive = _positive(counts) if len(counts) == 2 else None
    return Target(
        facts.name, "classification", kind, facts.present, facts.missing, why, metric, metric_why, counts, positive
    )


def _typed_counts(facts: ColumnFacts) -> dict[Label, int]:
    """Rows by class in the target's own type, in which texts such as ``Yes`` and ``yes`` are one class."""
    if facts.counts is None:
        raise SpecError(
            f"the target {facts.name!r} has thousands of distinct values, which are no classes. "
            f"Remedy: name another --target{'' if facts.type == 'string' else ', or --task regression'}"
        )
    kind = "integer" if facts.type == "float" else facts.type
    assert kind is not None, "a target has a type"
    labels = parsed(pl.Series("label", list(facts.counts)), kind).to_list()
    counts: dict[Label, int] = {}
    for label, rows in sorted(zip(labels, facts.counts.values(), strict=True)):
        counts[label] = counts.get(label, 0) + rows
    return counts


def _metric_of(counts: dict[Label, int]) -> tuple[str, str]:
    total, rarest = sum(counts.values()), min(counts, key=lambda label: counts[label])
    share = counts[rarest] / total
    share_of_rarest = f"class {rarest!r} is {share:.1%} of the rows"
    if len(counts) == 2:
        if share >= EVEN:
            return "accuracy", f"the classes are about even ({share_of_rarest})"
        if share < RARE:
            return "average_precision", f"{share_of_rarest}: accuracy would reward never naming it"
        return "roc_auc", f"{share_of_rarest}: accuracy would reward the larger class"
    if share * len(counts) >= EVEN_CLASSES:
        return "accuracy", f"the classes are about even ({share_of_rarest})"
    return "balanced_accuracy", f"{share_of_rarest}: accuracy would reward the larger classes"


def _positive(counts: dict[Label, int]) -> Label:
    """The class that says yes, else the rarer one, else the larger value."""
    order = list(counts)
    return min(counts, key=lambda label: (yes_rank(label), counts[label], -order.index(label)))


def _number(survey: Survey, facts: ColumnFacts, why: str) -> Target:
    if facts.type not in ("float", "integer"):
        raise SpecError(
            f"the target {facts.name!r} holds {'text' if facts.type == 'string' else 'truth values'}, which is no "
            "number to predict. Remedy: --task classification"
        )
    log, log_why = _log(survey.sample[facts.name].drop_nulls(), facts.low)
    why_metric = "in units of the target"
    return Target(
        facts.name,
        "regression",
        facts.type,
        facts.present,
        facts.missing,
        why,
        "mean_absolute_error",
        why_metric,
        log=log,
        log_why=log_why,
    )


def _log(values: pl.Series, low: float) -> tuple[bool, str]:
    skew = values.cast(pl.Float64).skew()
    if low <= 0 or skew is None or not math.isfinite(skew):
        return False, ""
    logged = values.cast(pl.Float64).log().skew()
    if skew < SKEWED or logged is None or abs(logged) > skew / 2:
        return False, ""
    return True, f"positive and skewed (skewness {skew:.1f}, of its logarithm {logged:.1f})"
