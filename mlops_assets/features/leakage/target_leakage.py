"""Target leakage: what must not reach the model from its own test rows or from the answer itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import pandas as pd

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.feature_pairs import PairFormula, pair_formulas
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS
from mlops_assets.features.leakage.single_feature import SingleFeatureScore
from mlops_assets.features.leakage.train_sample import TrainSample
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.features.spec import LeakageSpec

UNIQUE_TEXT, UNIQUE_NUMBERS = 0.95, 0.99
"""Shares of distinct values from which text, and whole numbers, can be an identifier."""
DENSE = 3
"""Distinct whole numbers packed into this many times their count were dealt out, not measured."""
SHOWN = 5


class ScoreRow(TypedDict):
    """One feature in the details of ``no_leakage``."""

    feature: str
    score: float
    assured: float
    method: str
    function: bool
    identifier: bool
    allowed: bool


def no_target(names: list[str], spec: SystemSpec) -> Verdict:
    """Whether target and post-outcome columns are absent, by name whatever the case."""
    post_outcome = [name for name, column in spec.dataset.columns.items() if column.post_outcome]
    forbidden = {name.casefold(): "the target" for name in [spec.dataset.target]}
    forbidden |= {name.casefold(): "known only after the outcome" for name in post_outcome}
    present = {name: forbidden[name.casefold()] for name in names if name.casefold() in forbidden}
    listed = ", ".join(f"{name!r} is {why}" for name, why in present.items())
    return Verdict(
        name="no_target",
        outcome="failed" if present else "passed",
        reason=f"{listed or 'target and post-outcome columns are absent from the features'}; 0 are allowed",
        value=len(present),
        bound=0,
        details={"columns": list(present), "forbidden": [spec.dataset.target, *post_outcome]},
    )


def no_leakage(sample: TrainSample) -> Verdict:
    """Whether no feature gives the target away: by prediction, as a function, as an identifier, or paired with another.

    A feature that stands accused alone, or is a reviewed exception, is in no pair.
    """
    if sample.rows < MIN_ROWS or sample.values < 2:
        return _not_evaluated(sample.rows, sample.values)
    spec, scores = sample.spec, sample.single_feature_scores
    identifiers = [str(name) for name, values in sample.distinct.items() if is_identifier(values)]
    alone = _suspects(scores, identifiers, spec)
    pairs = pair_formulas(
        sample.features,
        sample.target,
        spec.features.leakage.max_single_feature_score,
        ignored={*alone, *spec.features.leakage.allow},
    )
    return _leakage_verdict(scores, identifiers, alone, pairs, spec, sample.rows)


def is_identifier(values: pd.Series) -> bool:
    """Whether a feature names rows: text that is nearly always distinct, or distinct whole numbers dealt out in order.

    Whole numbers are dealt out if they rise or fall with the row order or fill their range without gaps.
    """
    if values.dtype == object:
        return len(values) >= MIN_ROWS and values.nunique() >= UNIQUE_TEXT * len(values)
    numbers = values.to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < MIN_ROWS or (numbers != np.floor(numbers)).any():
        return False
    if len(np.unique(numbers)) < UNIQUE_NUMBERS * len(numbers):
        return False
    steps = np.sign(np.diff(numbers))
    return bool(abs(steps.mean()) >= 0.99 or np.ptp(numbers) + 1 <= DENSE * len(numbers))


def _not_evaluated(rows: int, values: int) -> Verdict:
    return Verdict(
        name="no_leakage",
        outcome="not evaluated",
        reason=f"{rows} distinct train rows with {values} target values show nothing; {MIN_ROWS} rows and 2 are needed",
        rows=rows,
    )


def _leakage_verdict(
    scores: list[SingleFeatureScore],
    identifiers: list[str],
    alone: Mapping[str, str],
    pairs: list[PairFormula],
    spec: SystemSpec,
    rows: int,
) -> Verdict:
    declared = spec.features.leakage
    judged = [score for score in scores if score.feature not in declared.allow]
    paired = [name for pair in pairs for name in pair.features]
    return Verdict(
        name="no_leakage",
        outcome="failed" if alone or pairs else "passed",
        reason=_reason(alone, pairs, judged, spec),
        value=round(judged[0].assured, 6) if judged else None,
        bound=declared.max_single_feature_score,
        rows=rows,
        details={
            "columns": list(dict.fromkeys([*alone, *paired])),
            "scores": _table(scores, identifiers, declared),
            "derivations": [_pair_row(pair) for pair in pairs],
        },
    )


def _suspects(scores: list[SingleFeatureScore], identifiers: list[str], spec: SystemSpec) -> dict[str, str]:
    """Features that stand accused alone, and of what."""
    reasons = {score.feature: _accusations(score, score.feature in identifiers, spec) for score in scores}
    allowed = spec.features.leakage.allow
    return {name: "; ".join(why) for name, why in reasons.items() if why and name not in allowed}


def _accusations(score: SingleFeatureScore, identifier: bool, spec: SystemSpec) -> list[str]:
    bound = spec.features.leakage.max_single_feature_score
    measured = f"{_measured(score, spec)} by its {score.method} alone, below {bound} is allowed"
    checks = [
        (score.assured >= bound, measured),
        (score.is_function, "each of its values stands for one value of the target"),
        (identifier, "it names rows, since (nearly) every value is distinct"),
    ]
    return [accusation for applies, accusation in checks if applies]


def _reason(
    alone: Mapping[str, str], pairs: list[PairFormula], judged: list[SingleFeatureScore], spec: SystemSpec
) -> str:
    bound = spec.features.leakage.max_single_feature_score
    if alone or pairs:
        accused = [f"{name!r}: {why}" for name, why in alone.items()]
        accused += [_given_away(pair, spec) for pair in pairs]
        more = f". And {len(accused) - SHOWN} more" if len(accused) > SHOWN else ""
        return (
            f"{'. '.join(accused[:SHOWN])}{more}. "
            "Remedy: leave it out (features.exclude) or, reviewed, list it in features.leakage.allow"
        )
    if not judged:
        return "every feature is a reviewed exception (features.leakage.allow)"
    best = judged[0]
    return f"best single feature {best.feature!r}: {_measured(best, spec)}, below {bound} is allowed"


def _table(scores: list[SingleFeatureScore], identifiers: list[str], declared: "LeakageSpec") -> list[ScoreRow]:
    return [
        {
            "feature": score.feature,
            "score": round(score.score, 6),
            "assured": round(score.assured, 6),
            "method": score.method,
            "function": score.is_function,
            "identifier": score.feature in identifiers,
            "allowed": score.feature in declared.allow,
        }
        for score in scores
    ]


def _given_away(pair: PairFormula, spec: SystemSpec) -> str:
    bound = spec.features.leakage.max_single_feature_score
    return (
        f"{pair.formula} gives {spec.dataset.target} "
        f"(R² {pair.score:.4f}, at least {pair.assured:.4f}, below {bound} is allowed)"
    )


def _pair_row(pair: PairFormula) -> dict[str, object]:
    return {
        "features": list(pair.features),
        "formula": pair.formula,
        "score": round(pair.score, 6),
        "assured": round(pair.assured, 6),
    }


def _measured(score: SingleFeatureScore, spec: SystemSpec) -> str:
    if spec.task == "classification":
        return f"balanced accuracy {score.score:.4f}"
    return f"R² {score.score:.4f} (at least {score.assured:.4f})"
