"""Challenge: challenger and champion on the same rows, which neither was trained on."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis_catalogue import better_of
from mlops_assets.evaluation.spec import SliceSpec
from mlops_assets.metrics.formatting import figure
from mlops_assets.registry.provenance import features_of, model_of, own_report, scored
from mlops_assets.registry.spec import GuardSpec
from mlops_assets.registry.version import RegisteredVersion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlops_assets.comparison.comparison import Comparison
    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.metrics.outcomes import Predictions
    from mlops_assets.registry.session import RegistrySession

FEWEST_ROWS = 30
"""Below this many common rows no comparison is made."""
SIMPLER = 0.5
"""Size of a simpler model's artefact, as a share of the other's, at most."""


@dataclass(frozen=True)
class Guarded:
    """What became of one guard."""

    name: str
    kept: bool
    told: str


@dataclass(frozen=True)
class Challenge:
    """What the comparison found, or why there is none."""

    comparison: "Comparison | None" = None
    obstacle: str = ""
    """Why nothing was compared."""
    needs_person: bool = False
    """Whether comparing again would not help: the champion cannot score these rows."""
    guards: list[Guarded] = field(default_factory=list)
    fresher: bool = False
    """Whether the challenger's data landed later."""
    simpler: bool = False
    """Whether the challenger's artefact has at most half the champion's size."""
    rows_digest: str = ""
    """SHA-256 of the identities of the compared rows."""


@dataclass(frozen=True, eq=False)
class Contest:
    """Two registered versions and their predictions of the same rows."""

    session: "RegistrySession"
    rows: "pd.DataFrame"
    features: "FeaturesVersion"
    challenger: "Predictions"
    champion: "Predictions"

    def compare(self, metric: str | None, where: Any = None) -> "Comparison":
        """The comparison by ``metric``, or by the declared cost, on all rows or those that a mask selects.

        Raises:
            NotEvaluated: if the rows do not give it.
        """
        from mlops_assets.comparison.comparison import compare, compare_costs

        spec, rows = self.session.spec, self.rows if where is None else self.rows.loc[where]
        if len(rows) < FEWEST_ROWS:
            raise NotEvaluated(f"only {len(rows)} rows that neither was trained on; {FEWEST_ROWS} are needed")
        ours, theirs = _only(self.challenger, where), _only(self.champion, where)
        group = self.features.group
        shared: dict[str, Any] = {
            "groups": rows[f"@{group}"].to_numpy() if group else None,
            "resamples": spec.evaluation.resamples,
            "confidence": spec.registry.confidence,
            "seed": spec.model.seed,
            "classes": self.features.classes or (),
            "positive": spec.evaluation.positive,
        }
        truth, method = rows[self.features.target].to_numpy(), spec.registry.method
        if metric is None:
            assert spec.registry.cost is not None
            asked = method if method in ("bootstrap", "bca") else "auto"
            return compare_costs(spec.registry.cost, truth, ours, theirs, **shared, method=asked)
        # The declared method is for the declared metric; a guard is compared by what suits it.
        asked = method if metric == primary(self.session) else "auto"
        return compare(metric, truth, ours, theirs, **shared, method=asked)


def primary(session: "RegistrySession") -> str | None:
    """The metric that decides; None where a declared cost does."""
    spec = session.spec
    return None if spec.registry.cost else spec.primary_metric


def challenge(session: "RegistrySession", challenger: RegisteredVersion, champion: RegisteredVersion) -> Challenge:
    """Compare two registered versions, fetched from the registry, as the declaration says."""
    import numpy as np

    storage = session.storage
    ours, theirs = (features_of(storage, model_of(storage, version)) for version in (challenger, champion))
    if ours.columns != theirs.columns or ours.classes != theirs.classes or ours.target != theirs.target:
        return Challenge(
            obstacle=f"champion version {champion.version} cannot score these rows: {_difference(ours, theirs)}",
            needs_person=True,
        )
    rows = _unseen_rows(session, ours, theirs)
    digest = hashlib.sha256(np.sort(rows["_identity"].to_numpy()).tobytes()).hexdigest()
    if len(rows) < FEWEST_ROWS:
        told = f"only {len(rows)} rows that neither was trained on; {FEWEST_ROWS} are needed"
        return Challenge(obstacle=told, rows_digest=digest)
    inputs = rows.loc[:, ours.names]
    (mine, my_size), (other, other_size) = (scored(session, version, inputs) for version in (challenger, champion))
    contest = Contest(session, rows, ours, mine, other)
    try:
        comparison = contest.compare(primary(session))
    except NotEvaluated as error:
        return Challenge(obstacle=str(error), rows_digest=digest)
    return Challenge(
        comparison=comparison,
        guards=[_guarded(contest, guard, challenger, champion) for guard in session.spec.registry.guards],
        fresher=_landed(session, challenger) > _landed(session, champion),
        simpler=my_size <= SIMPLER * other_size,
        rows_digest=digest,
    )


def _unseen_rows(session: "RegistrySession", ours: "FeaturesVersion", theirs: "FeaturesVersion") -> "pd.DataFrame":
    """The challenger's test rows without those that the champion saw in training or validation.

    A row is known again by what it is, and by where it landed: what it is may be told by other columns meanwhile.
    """
    import pandas as pd

    from mlops_assets.features.table import read_features

    place = ["_batch", "_row"]
    seen = read_features(session.storage, theirs)
    seen = seen.loc[seen["_part"].isin(["train", "validation"])]
    test = read_features(session.storage, ours, "test")
    known = test["_identity"].isin(seen["_identity"]).to_numpy()
    known |= pd.MultiIndex.from_frame(test.loc[:, place]).isin(pd.MultiIndex.from_frame(seen.loc[:, place]))
    return test.loc[~known].reset_index(drop=True)


def _guarded(contest: Contest, guard: GuardSpec, challenger: RegisteredVersion, champion: RegisteredVersion) -> Guarded:
    try:
        if guard.measure is not None:
            return _measured(contest.session, guard, challenger, champion)
        found = contest.compare(guard.metric, None if guard.slice is None else _selected(contest.rows, guard.slice))
    except NotEvaluated as error:
        return Guarded(guard.name, False, f"{guard.name} was not compared: {error}")
    low, high = found.interval
    return Guarded(
        guard.name,
        low >= -guard.margin,
        f"{guard.name} {figure(found.challenger)} against {figure(found.champion)} on {found.rows:,} rows, "
        f"difference {found.difference:+.4g} [{low:+.4g}, {high:+.4g}], margin {guard.margin:g}",
    )


def _selected(rows: "pd.DataFrame", chosen: SliceSpec) -> "np.ndarray":
    if f"@{chosen.column}" not in rows:
        raise NotEvaluated(f"the rows carry no column {chosen.column!r}. Remedy: materialise the features again")
    return (rows[f"@{chosen.column}"] == chosen.equals).fillna(False).to_numpy(dtype=bool)


def _measured(
    session: "RegistrySession",
    guard: GuardSpec,
    challenger: RegisteredVersion,
    champion: RegisteredVersion,
) -> Guarded:
    assert guard.measure is not None
    ours, theirs = (own_report(session, version).measured(guard.measure) for version in (challenger, champion))
    if ours is None or theirs is None:
        raise NotEvaluated(f"the report of {'this version' if ours is None else 'the champion'} has no value")
    worse = theirs - ours if better_of(guard.measure) == "higher" else ours - theirs
    told = f"{guard.name} {figure(ours)} against {figure(theirs)}, at most {guard.margin:g} worse is allowed"
    return Guarded(guard.name, worse <= guard.margin, told)


def _only(predictions: "Predictions", where: Any) -> "Predictions":
    from dataclasses import replace

    if where is None:
        return predictions
    probabilities = None if predictions.probabilities is None else predictions.probabilities[where]
    return replace(predictions, values=predictions.values[where], probabilities=probabilities)


def _landed(session: "RegistrySession", version: RegisteredVersion) -> Any:
    return session.storage.records.get(DatasetVersion, session.system, version.dataset_digest).newest_landed_at


def _difference(ours: "FeaturesVersion", theirs: "FeaturesVersion") -> str:
    new, gone = (
        [column.name for column in first.columns if column not in second.columns]
        for first, second in ((ours, theirs), (theirs, ours))
    )
    told = [f"{what} {', '.join(map(repr, names))}" for what, names in (("new are", new), ("gone are", gone)) if names]
    if ours.classes != theirs.classes:
        told.append(f"the classes were {theirs.classes}, now {ours.classes}")
    if ours.target != theirs.target:
        told.append(f"the target was {theirs.target!r}, now {ours.target!r}")
    return "; ".join(told) or "its features are in another order"
