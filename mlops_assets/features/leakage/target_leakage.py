"""Target leakage: what must not reach the model from its own test rows or from the answer itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.feature_pairs import pair_formulas
from mlops_assets.features.leakage.formula_text import Formula
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS
from mlops_assets.features.leakage.linear_sum import sum_formula
from mlops_assets.features.leakage.single_feature import SingleFeatureScore
from mlops_assets.features.leakage.train_sample import TrainSample
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    pass

SHOWN = 5


class ScoreRow(TypedDict):
    """One feature in the details of ``no_leakage``."""

    feature: str
    score: float
    assured: float
    method: str
    function: bool
    identifier: bool
    copy: str
    """In what way it repeats the target beyond its score; empty where it does not."""
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
    """Whether no feature gives the target away, alone or with others.

    Alone: by prediction, as a function, as a mean of the target, by having a value at all, or by naming rows. With
    others: by a formula of two, or a sum of more. A feature that stands accused alone, or is a reviewed exception, is
    in no formula. The order of the rows decides nothing.
    """
    if sample.rows < MIN_ROWS or sample.values < 2:
        return _not_evaluated(sample.rows, sample.values)
    scores = _table(sample.single_feature_scores, sample)
    alone = _suspects(scores, sample.spec)
    formulas = _formulas(sample, {*alone, *sample.declared.allow})
    return _leakage_verdict(scores, alone, formulas, sample)


def _not_evaluated(rows: int, values: int) -> Verdict:
    return Verdict(
        name="no_leakage",
        outcome="not evaluated",
        reason=f"{rows} train rows with {values} target values show nothing; {MIN_ROWS} rows and 2 are needed",
        rows=rows,
    )


def _formulas(sample: TrainSample, ignored: set[str]) -> list[Formula]:
    """What two features give together, and what more do that are in no such pair."""
    features, target = sample.features.iloc[sample.without_copies], sample.target[sample.without_copies]
    pairs = pair_formulas(features, target, sample.declared.max_single_feature_score, ignored)
    ignored |= {name for pair in pairs for name in pair.features}
    rest = features[[name for name in features.columns if name not in ignored]]
    total = sum_formula(rest, target)
    return pairs if total is None else [*pairs, total]


def _leakage_verdict(
    scores: list[ScoreRow], alone: Mapping[str, str], formulas: list[Formula], sample: TrainSample
) -> Verdict:
    judged = [row for row in scores if not row["allowed"]]
    derived = [name for formula in formulas for name in formula.features]
    return Verdict(
        name="no_leakage",
        outcome="failed" if alone or formulas else "passed",
        reason=_reason(alone, formulas, judged, sample.spec),
        value=judged[0]["assured"] if judged else None,
        bound=sample.declared.max_single_feature_score,
        rows=sample.rows,
        details={
            "columns": list(dict.fromkeys([*alone, *derived])),
            "scores": scores,
            "derivations": [_formula_row(formula) for formula in formulas],
        },
    )


def _suspects(scores: list[ScoreRow], spec: SystemSpec) -> dict[str, str]:
    """Features that stand accused alone, and of what."""
    reasons = {row["feature"]: _accusations(row, spec) for row in scores if not row["allowed"]}
    return {name: "; ".join(why) for name, why in reasons.items() if why}


def _accusations(row: ScoreRow, spec: SystemSpec) -> list[str]:
    bound = spec.features.leakage.max_single_feature_score
    measured = f"{_measured(row, spec)} by its {row['method']} alone, below {bound} is allowed"
    checks = [
        (row["assured"] >= bound, measured),
        (row["function"], "each of its values stands for one value of the target"),
        (bool(row["copy"]), row["copy"]),
        (row["identifier"], "it names rows, since (nearly) every row has a value of its own"),
    ]
    return [accusation for applies, accusation in checks if applies]


def _reason(alone: Mapping[str, str], formulas: list[Formula], judged: list[ScoreRow], spec: SystemSpec) -> str:
    bound = spec.features.leakage.max_single_feature_score
    if alone or formulas:
        accused = [f"{name!r}: {why}" for name, why in alone.items()]
        accused += [_given_away(formula, spec) for formula in formulas]
        more = f". And {len(accused) - SHOWN} more" if len(accused) > SHOWN else ""
        return (
            f"{'. '.join(accused[:SHOWN])}{more}. "
            "Remedy: leave it out (features.exclude) or, reviewed, list it in features.leakage.allow"
        )
    if not judged:
        return "every feature is a reviewed exception (features.leakage.allow)"
    best = judged[0]
    return f"best single feature {best['feature']!r}: {_measured(best, spec)}, below {bound} is allowed"


def _table(scores: list[SingleFeatureScore], sample: TrainSample) -> list[ScoreRow]:
    return [
        {
            "feature": score.feature,
            "score": round(score.score, 6),
            "assured": round(score.assured, 6),
            "method": score.method,
            "function": score.is_function,
            "identifier": score.feature in sample.identifiers,
            "copy": sample.target_copies.get(score.feature, ""),
            "allowed": score.feature in sample.declared.allow,
        }
        for score in scores
    ]


def _given_away(formula: Formula, spec: SystemSpec) -> str:
    bound = spec.features.leakage.max_single_feature_score
    return (
        f"{formula.formula} gives {spec.dataset.target} "
        f"(R² {formula.score:.4f}, at least {formula.assured:.4f}, below {bound} is allowed)"
    )


def _formula_row(formula: Formula) -> dict[str, object]:
    return {
        "features": list(formula.features),
        "formula": formula.formula,
        "score": round(formula.score, 6),
        "assured": round(formula.assured, 6),
    }


def _measured(row: ScoreRow, spec: SystemSpec) -> str:
    measure = "balanced accuracy" if spec.task == "classification" else "R²"
    return f"{measure} {row['score']:.4f} (at least {row['assured']:.4f})"
