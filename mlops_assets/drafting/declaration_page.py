"""The declaration page: a draft as the text of its ``defs.yaml``, every guess with its reason beside it."""

import textwrap
from collections.abc import Iterable, Iterator

from mlops_assets.declaration.reading import COMPONENT
from mlops_assets.drafting.draft import HIST, Draft
from mlops_assets.drafting.notes import (
    possible_groups,
    possible_times,
    refusals,
    repeated_rows,
    small_classes,
    suspected_leaks,
    too_few_rows,
    ungrouped_rows,
)
from mlops_assets.drafting.ranges import RULE
from mlops_assets.drafting.rehearsal import FOREST
from mlops_assets.drafting.roles import protected
from mlops_assets.drafting.yaml_flow import comment, flow, text
from mlops_assets.metrics.catalogue import METRICS

WIDTH = 118
BESIDE = 40
"""Column from which a remark stands beside a line."""
SUGGESTED = 0.9
"""Share of the way from the baseline to the quick model that a suggested bound lies at."""


def page(draft: Draft) -> str:
    """The declaration as YAML; what it says is ``draft.attributes``."""
    said = draft.attributes
    lines = [
        *_remark(_origin(draft), 0),
        f"type: {COMPONENT}",
        "attributes:",
        f"  name: {flow(said['name'])}",
        f"  description: {flow(said['description'])}",
        *([f"  owners: {flow(said['owners'])}"] if "owners" in said else []),
        _beside(f"  task: {said['task']}", draft.target.why),
        "  dataset:",
        *_dataset(draft),
        "  features:",
        *_features(draft),
        "  model:",
        *_model(draft),
        "  evaluation:",
        *_evaluation(draft),
        _beside(f"  registry: {flow(said['registry'])}", "a new version is compared with the champion by this metric"),
        _beside('  # automation: {train: "0 2 * * *"}', "a schedule in UTC; new data start the jobs anyway"),
    ]
    return "\n".join(lines) + "\n"


def _origin(draft: Draft) -> str:
    survey = draft.survey
    seen = f", judged on every {-(-survey.rows // survey.sample.height)}th" if survey.sampled else ""
    origin = f"Drafted by `mlops new` from {survey.file} ({survey.rows:,} rows{seen})."
    return f"{origin} Every guess says why; change what you know better."


def _dataset(draft: Draft) -> Iterator[str]:
    said = draft.attributes["dataset"]
    yield f"    target: {flow(said['target'])}"
    if "key" in said:
        yield _beside(
            f"    key: {flow(said['key'])}", "different in every row; a second row with the same is quarantined"
        )
    if "format" in said:
        yield _beside(f"    format: {flow(said['format'])}", "texts for an empty cell; this file has some of its own")
    yield from _remark(RULE[0].upper() + RULE[1:] + ".", 4)
    yield "    columns:"
    for column in draft.columns:
        if column.role == "undeclared":
            yield from _remark(f"{text(column.name)} is not read: {column.why}.", 6)
        else:
            yield f"      {text(column.name)}: {flow(column.declared)}"
    yield _beside(f"    volume: {flow(said['volume'])}", "half of the rows seen")
    for note in repeated_rows(draft):
        yield from _remark(note, 4)


def _features(draft: Draft) -> Iterator[str]:
    said = draft.attributes["features"]
    excluded = draft.named("excluded")
    if excluded:
        yield from _remark("Left out. What is known before the outcome and belongs in can be taken off this list.", 4)
        yield "    exclude:"
        yield from (_beside(f"      - {text(column.name)}", column.why) for column in excluded)
    if any(column.why.startswith("suspected leak") for column in excluded):
        yield from _remark(
            "A suspected leak that is sound after all: take it off, then `leakage: {allow: [its name]}`.", 4
        )
    for note in suspected_leaks(draft):
        yield from _remark(note, 4)
    if "categorical" in said:
        yield _beside(f"    categorical: {flow(said['categorical'])}", "numbers that are names")
    yield _beside(f"    split: {flow(said['split'])}", _split_why(draft))
    for note in (*possible_groups(draft), *ungrouped_rows(draft), *possible_times(draft)):
        yield from _remark(note, 4)


def _split_why(draft: Draft) -> str:
    held = [column for column in draft.columns if column.role in ("group", "time")]
    return f"split by {held[0].name}, {held[0].why}" if held else ""


def _model(draft: Draft) -> Iterator[str]:
    said, task = draft.attributes["model"], draft.target.task
    linear = "LogisticRegression" if task == "classification" else "Ridge"
    others = [name for name in (FOREST[task], HIST[task]) if not said["estimator"].endswith(name)]
    booster = "xgboost.XGBClassifier" if task == "classification" else "xgboost.XGBRegressor"
    yield from _remark(
        f"Others to try: sklearn.ensemble.{others[0]}, {booster}, sklearn.linear_model.{linear} (params: {{}}).",
        4,
    )
    size = "few rows: a forest is the safer choice" if "Forest" in said["estimator"] else ""
    yield _beside(f"    estimator: {said['estimator']}", size)
    yield f"    params: {flow(said['params'])}"
    if draft.target.metric in ("balanced_accuracy", "average_precision"):
        yield from _remark(
            "`class_weight: balanced` among the params gives rare classes more weight than their share.", 4
        )
    if "target_transform" in said:
        yield _beside(f"    target_transform: {said['target_transform']}", f"the target is {draft.target.log_why}")
    if "categorical" in said:
        yield _beside(f"    categorical: {flow(said['categorical'])}", "rarer categories share one column")


def _evaluation(draft: Draft) -> Iterator[str]:
    said = draft.attributes["evaluation"]
    yield "    gates:"
    yield _beside(f"      - {flow(said['gates'][0])}", draft.target.metric_why)
    yield from _suggestions(draft)
    if "positive" in said:
        yield _beside(
            f"    positive: {flow(said['positive'])}", "the class that precision, recall and curves are about"
        )
    for note in (*refusals(draft), *too_few_rows(draft), *small_classes(draft)):
        yield from _remark(note, 4)
    if (names := protected(draft.columns)) and draft.target.task == "classification":
        yield _beside(f"    # protected: {flow(names)}", "compares the model's decisions between people")


def _suggestions(draft: Draft) -> Iterator[str]:
    quick = draft.quick
    if quick is None or not quick.values:
        return
    yield from _remark(
        f"Absolute bounds are for you to set. A quick forest of {quick.trained:,} train rows gives an idea on "
        f"{quick.rows:,} validation rows:",
        6,
    )
    for metric, value in quick.values.items():
        base = quick.baseline.get(metric)
        greater = METRICS[metric].greater_is_better
        if base is None or (value > base) != greater:
            yield from _remark(f"{metric} {_figure(value)}, which is no better than a constant guess.", 6)
            continue
        bound = float(f"{base + SUGGESTED * (value - base):.2g}")
        gate = {"metric": metric, "at_least" if greater else "at_most": int(bound) if bound.is_integer() else bound}
        yield _beside(f"      # - {flow(gate)}", f"reached {_figure(value)}; a constant guess {_figure(base)}")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.3f}"


def _beside(line: str, remark: str) -> str:
    """``line`` with a remark, where there is one: beside it, or above where it would be too long."""
    beside = f"{line:<{BESIDE}}  # {comment(remark)}" if remark else line
    if len(beside) <= WIDTH or not remark:
        return beside
    return "\n".join([*_remark(remark[0].upper() + remark[1:] + ":", len(line) - len(line.lstrip())), line])


def _remark(remark: str, indent: int) -> Iterable[str]:
    head = " " * indent + "# "
    return textwrap.wrap(comment(remark), WIDTH, initial_indent=head, subsequent_indent=head, break_on_hyphens=False)
