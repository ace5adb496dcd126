"""Target copies: features that repeat the target in a way that no score of one row shows.

They average it over rows that include their own, or hold a value only where it came out one way.
"""

from collections.abc import Iterator

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.known_rows import KnownRows
from mlops_assets.features.leakage.moving_window import moving_window
from mlops_assets.features.leakage.presence import presence_evidence, presence_text
from mlops_assets.features.leakage.target_mean import outcomes_of, repeats_target_mean


def target_copies(spec: SystemSpec, sampled: KnownRows, train: KnownRows, every: KnownRows) -> dict[str, str]:
    """In what way each such feature repeats the target; text that ends an accusation.

    ``sampled`` are train rows without copies, ``train`` all train rows, ``every`` those of all parts: means were taken
    over these.
    """
    ways = [*_present_for_a_class(spec, sampled), *_means(spec, train, every), *_windows(spec, train)]
    return {feature: "; ".join(way for name, way in ways if name == feature) for feature, _ in ways}


def _present_for_a_class(spec: SystemSpec, sampled: KnownRows) -> Iterator[tuple[str, str]]:
    """Empty cells only; a number that stands for none may be an honest one."""
    if spec.task == "regression":
        return
    for name, values in sampled.features.items():
        evidence = presence_evidence(values, sampled.target)
        if evidence and evidence.filler is None:
            yield str(name), presence_text(evidence, spec.dataset.target)


def _means(spec: SystemSpec, train: KnownRows, every: KnownRows) -> Iterator[tuple[str, str]]:
    for name, column in every.features.items():
        if column.dtype != object and any(_is_mean(str(name), rows, spec.task) for rows in (every, train)):
            yield str(name), f"it is the mean of {spec.dataset.target} over the rows that share its value"


def _is_mean(name: str, rows: KnownRows, task: str) -> bool:
    values = rows.features[name].to_numpy(dtype=float)
    return any(repeats_target_mean(values, outcome) for outcome in outcomes_of(rows.target, task))


def _windows(spec: SystemSpec, train: KnownRows) -> Iterator[tuple[str, str]]:
    if train.times is None:
        return
    rows, target = train.by_time, spec.dataset.target
    for name, column in rows.features.items():
        if column.dtype == object:
            continue
        values = column.to_numpy(dtype=float)
        if window := moving_window(values, rows.target, spec.features.leakage.max_single_feature_score):
            before, after = window
            yield str(name), f"it averages {target} over {before} rows before, its own and {after} after it"
        elif any(repeats_target_mean(values, y, rows.times) for y in outcomes_of(rows.target, spec.task)):
            yield str(name), f"its mean at each {spec.features.split.time} is that of {target}"
