"""Leakage: what must not reach the model from its own test rows or from the answer itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.leakage.feature_pairs import Derivation, derivations
from mlops_assets.features.leakage.functional_dependency import MIN_ROWS
from mlops_assets.features.leakage.single_feature import Determination
from mlops_assets.features.leakage.train_sample import Evidence
from mlops_assets.verdict import Verdict

if TYPE_CHECKING:
    from mlops_assets.features.spec import LeakageSpec

UNIQUE_TEXT, UNIQUE_NUMBERS = 0.95, 0.99
"""Shares of distinct values from which text, and whole numbers, can be an identifier."""
DENSE = 3
"""Distinct whole numbers packed into this many times their count were dealt out, not measured."""
SHOWN = 5


def no_target(names: list[str], spec: SystemSpec) -> Verdict:
    """Whether target and post-outcome columns are absent, by name whatever the case."""
    post_outcome = [name for name, column in spec.dataset.columns.items() if column.post_outcome]
    forbidden = {name.casefold(): "the target" for name in [spec.dataset.target]}
    forbidden |= {name.casefold(): "known only after the outcome" for name in post_outcome}
    found = {name: forbidden[name.casefold()] for name in names if name.casefold() in forbidden}
    told = ", ".join(f"{name!r} is {why}" for name, why in found.items())
    return Verdict(
        name="no_target",
        outcome="failed" if found else "passed",
        reason=f"{told or 'target and post-outcome columns are absent from the features'}; 0 are allowed",
        value=len(found),
        bound=0,
        details={"columns": list(found), "forbidden": [spec.dataset.target, *post_outcome]},
    )


def no_leakage(evidence: Evidence) -> Verdict:
    """Whether no feature gives the target away: by prediction, as a function, as an identifier, or paired with another.

    A feature that stands accused alone, or is a reviewed exception, is in no pair.
    """
    if evidence.rows < MIN_ROWS or evidence.values < 2:
        return _not_evaluated(evidence.rows, evidence.values)
    spec, found = evidence.spec, evidence.determinations
    identifiers = [str(name) for name, values in evidence.distinct.items() if is_identifier(values)]
    alone = _guilty(found, identifiers, spec)
    pairs = derivations(
        evidence.features,
        evidence.target,
        spec.features.leakage.max_single_feature_score,
        ignored={*alone, *spec.features.leakage.allow},
    )
    return _leakage_verdict(found, identifiers, alone, pairs, spec, evidence.rows)


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
    found: list[Determination],
    identifiers: list[str],
    alone: Mapping[str, str],
    pairs: list[Derivation],
    spec: SystemSpec,
    rows: int,
) -> Verdict:
    declared = spec.features.leakage
    judged = [one for one in found if one.feature not in declared.allow]
    paired = [name for pair in pairs for name in pair.features]
    return Verdict(
        name="no_leakage",
        outcome="failed" if alone or pairs else "passed",
        reason=_told(alone, pairs, judged, spec),
        value=round(judged[0].assured, 6) if judged else None,
        bound=declared.max_single_feature_score,
        rows=rows,
        details={
            "columns": list(dict.fromkeys([*alone, *paired])),
            "scores": _table(found, identifiers, declared),
            "derivations": [_derivation(pair) for pair in pairs],
        },
    )


def _guilty(found: list[Determination], identifiers: list[str], spec: SystemSpec) -> dict[str, str]:
    """Features that stand accused alone, and of what."""
    reasons = {one.feature: _accusations(one, one.feature in identifiers, spec) for one in found}
    allowed = spec.features.leakage.allow
    return {name: "; ".join(why) for name, why in reasons.items() if why and name not in allowed}


def _accusations(one: Determination, identifier: bool, spec: SystemSpec) -> list[str]:
    bound = spec.features.leakage.max_single_feature_score
    measured = f"{_measured(one, spec)} by its {one.method} alone, below {bound} is allowed"
    checks = [
        (one.assured >= bound, measured),
        (one.is_function, "each of its values stands for one value of the target"),
        (identifier, "it names rows, since (nearly) every value is distinct"),
    ]
    return [told for applies, told in checks if applies]


def _told(alone: Mapping[str, str], pairs: list[Derivation], judged: list[Determination], spec: SystemSpec) -> str:
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


def _table(found: list[Determination], identifiers: list[str], declared: "LeakageSpec") -> list[dict[str, object]]:
    return [
        {
            "feature": one.feature,
            "score": round(one.score, 6),
            "assured": round(one.assured, 6),
            "method": one.method,
            "function": one.is_function,
            "identifier": one.feature in identifiers,
            "allowed": one.feature in declared.allow,
        }
        for one in found
    ]


def _given_away(pair: Derivation, spec: SystemSpec) -> str:
    bound = spec.features.leakage.max_single_feature_score
    return (
        f"{pair.formula} gives {spec.dataset.target} "
        f"(R² {pair.score:.4f}, at least {pair.assured:.4f}, below {bound} is allowed)"
    )


def _derivation(pair: Derivation) -> dict[str, object]:
    return {
        "features": list(pair.features),
        "formula": pair.formula,
        "score": round(pair.score, 6),
        "assured": round(pair.assured, 6),
    }


def _measured(one: Determination, spec: SystemSpec) -> str:
    if spec.task == "classification":
        return f"balanced accuracy {one.score:.4f}"
    return f"R² {one.score:.4f} (at least {one.assured:.4f})"
