"""Challenge: challenger and champion on the same rows, which neither was trained on."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.errors import NotEvaluated
from mlops_assets.evaluation.diagnosis_catalogue import better_of
from mlops_assets.evaluation.spec import SliceSpec
from mlops_assets.metrics.formatting import figure
from mlops_assets.registry.own_scoring import OtherFeatures, require_comparable, scored_by_own_code
from mlops_assets.registry.provenance import features_of, model_of, own_report, scored
from mlops_assets.registry.spec import GuardSpec
from mlops_assets.registry.version import RegisteredVersion

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd

    from mlops_assets.comparison.comparison import Comparison
    from mlops_assets.comparison.pair import Pair
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.features.version import FeaturesVersion
    from mlops_assets.metrics.outcomes import Predictions
    from mlops_assets.registry.reference import MarginBudget
    from mlops_assets.registry.session import RegistrySession

FEWEST_ROWS = 30
"""Below this many common rows no comparison is made."""
SIMPLER = 0.5
"""Size of a simpler model's artefact, as a share of the other's, at most."""


@dataclass(frozen=True)
class GuardResult:
    """What became of one guard."""

    name: str
    kept: bool
    message: str


@dataclass(frozen=True)
class Challenge:
    """What the comparison found, or why there is none."""

    comparison: "Comparison | None" = None
    obstacle: str = ""
    """Why nothing was compared."""
    needs_person: bool = False
    """Whether comparing again would not help: the champion cannot score these rows."""
    guards: list[GuardResult] = field(default_factory=list)
    fresher: bool = False
    """Whether the challenger's data landed later."""
    simpler: bool = False
    """Whether the challenger's artefact has at most half the champion's size."""
    rows_digest: str = ""
    """SHA-256 of the identities of the compared rows."""
    look: int = 1
    """Number of this comparison since the reference began."""
    looks: int = 1
    """How many comparisons share the declared confidence."""
    budget: "MarginBudget | None" = None
    """What is left of the margin; None where it was not asked for."""


@dataclass(frozen=True, eq=False)
class Contest:
    """Two registered versions and what they say about rows that neither was trained on."""

    session: "RegistrySession"
    challenger: RegisteredVersion
    champion: RegisteredVersion
    rows: "pd.DataFrame"
    pair: "Pair"
    """Their predictions of ``rows``."""

    def decide(self, confidence: float) -> "Comparison":
        """By the declared cost or metric, with the declared method.

        Raises:
            NotEvaluated: if the rows do not give it.
        """
        spec = self.session.spec
        pair = replace(self.pair, bootstrap=replace(self.pair.bootstrap, confidence=confidence))
        if spec.registry.cost:
            return pair.compare_cost(spec.registry.cost, spec.registry.method)
        return pair.compare(spec.primary_metric, spec.registry.method)

    def guarded(self, guard: GuardSpec) -> "GuardResult":
        """Whether ``guard`` is kept; one that cannot be compared is not."""
        try:
            return self._measured(guard, guard.measure) if guard.measure else self._compared(guard, guard.metric or "")
        except NotEvaluated as error:
            return GuardResult(guard.name, False, f"{guard.name} was not compared: {error}")

    def _compared(self, guard: GuardSpec, metric: str) -> "GuardResult":
        spec = self.session.spec
        pair = self.pair if guard.slice is None else self.pair.take(_selected(self.rows, guard.slice))
        _require_rows(len(pair))
        # The declared method is for the declared metric; another one is compared by what suits it.
        decides = metric == spec.primary_metric and not spec.registry.cost
        comparison = pair.compare(metric, spec.registry.method if decides else "auto")
        low, high = comparison.interval
        return GuardResult(
            guard.name,
            low >= -guard.margin,
            f"{guard.name} {figure(comparison.challenger)} against {figure(comparison.champion)} on "
            f"{comparison.rows:,} rows, difference {comparison.difference:+.4g} [{low:+.4g}, {high:+.4g}], "
            f"margin {guard.margin:g}",
        )

    def _measured(self, guard: GuardSpec, measure: str) -> "GuardResult":
        ours, theirs = (own_report(self.session, each).measured(measure) for each in (self.challenger, self.champion))
        if ours is None or theirs is None:
            raise NotEvaluated(f"the report of {'this version' if ours is None else 'the champion'} has no value")
        worse = theirs - ours if better_of(measure) == "higher" else ours - theirs
        message = f"{guard.name} {figure(ours)} against {figure(theirs)}, at most {guard.margin:g} worse is allowed"
        return GuardResult(guard.name, worse <= guard.margin, message)


def challenge(
    session: "RegistrySession",
    challenger: RegisteredVersion,
    champion: RegisteredVersion,
    confidence: float | None = None,
    guarded: bool = True,
) -> Challenge:
    """Compare two registered versions, fetched from the registry, as the declaration says.

    Each is scored on features that its own code makes of the same rows. ``confidence`` is that of the comparison, by
    default the declared one, which guards have in any case.
    """
    import numpy as np

    storage = session.storage
    ours, theirs = (features_of(storage, model_of(storage, version)) for version in (challenger, champion))
    digest = ""
    try:
        require_comparable(session, (challenger, champion), (ours, theirs))
        rows = _unseen_rows(session, ours, theirs)
        digest = hashlib.sha256(np.sort(rows["_identity"].to_numpy()).tobytes()).hexdigest()
        _require_rows(len(rows))
        mine, my_size = scored(session, challenger, rows.loc[:, ours.names])
        other, other_size = scored_by_own_code(session, (challenger, champion), (ours, theirs), rows)
        contest = Contest(session, challenger, champion, rows, _pair(session.spec, ours, rows, mine, other))
        comparison = contest.decide(confidence or session.spec.registry.confidence)
    except OtherFeatures as error:
        obstacle = f"champion version {champion.version} cannot score these rows: {error}"
        return Challenge(obstacle=obstacle, needs_person=True, rows_digest=digest)
    except NotEvaluated as error:
        return Challenge(obstacle=str(error), rows_digest=digest)
    return Challenge(
        comparison=comparison,
        guards=[contest.guarded(guard) for guard in session.spec.registry.guards if guarded],
        fresher=_landed(session, challenger) > _landed(session, champion),
        simpler=my_size <= SIMPLER * other_size,
        rows_digest=digest,
    )


def _unseen_rows(session: "RegistrySession", ours: "FeaturesVersion", theirs: "FeaturesVersion") -> "pd.DataFrame":
    """The challenger's test rows without those that the champion saw in training or validation.

    A row is known again by what it is, and by where it landed: other columns may say meanwhile what it is.
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


def _require_rows(rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise NotEvaluated(f"only {rows} rows that neither was trained on; {FEWEST_ROWS} are needed")


def _pair(
    spec: "SystemSpec", features: "FeaturesVersion", rows: "pd.DataFrame", ours: "Predictions", theirs: "Predictions"
) -> "Pair":
    from mlops_assets.comparison.pair import read_pair
    from mlops_assets.evaluation.independence import independence
    from mlops_assets.metrics.bootstrap import Bootstrap

    truth, classes = rows[features.target].to_numpy(), features.classes or ()
    pair = read_pair(spec.task, truth, ours, theirs, classes, spec.evaluation.positive)
    return replace(
        pair,
        groups=independence(spec, features).units(rows),
        bootstrap=Bootstrap(spec.evaluation.resamples, spec.registry.confidence, spec.model.seed),
    )


def _selected(rows: "pd.DataFrame", chosen: SliceSpec) -> "np.ndarray":
    if f"@{chosen.column}" not in rows:
        raise NotEvaluated(f"the rows carry no column {chosen.column!r}. Remedy: materialise the features again")
    return (rows[f"@{chosen.column}"] == chosen.equals).fillna(False).to_numpy(dtype=bool)


def _landed(session: "RegistrySession", version: RegisteredVersion) -> "datetime":
    return session.storage.records.get(DatasetVersion, session.system, version.dataset_digest).newest_landed_at
