"""Version comparison: two registered versions side by side, and head to head on rows that neither was trained on."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_assets.errors import SpecError
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.formatting import rows_wanted
from mlops_assets.registry.challenge import Challenge, challenge
from mlops_assets.registry.provenance import own_report

if TYPE_CHECKING:
    from mlops_assets.comparison.comparison import Comparison, Standing
    from mlops_assets.evaluation.report.report import Report
    from mlops_assets.metrics.intervals import Interval
    from mlops_assets.registry.session import RegistrySession


@dataclass(frozen=True)
class MetricPair:
    """One metric of both reports, each on its own test rows."""

    metric: str
    greater_is_better: bool
    values: tuple[float | None, float | None]
    """Of the older and the newer version; None: not evaluated."""
    intervals: "tuple[Interval | None, Interval | None]"
    better: int | None
    """The version with the better value; None where they are equal or one has none."""


@dataclass(frozen=True)
class VersionComparison:
    """What can be said of a newer version against an older one."""

    system: str
    older: int
    newer: int
    lines: list[MetricPair]
    same_rows: bool
    """Whether both reports are on the same test rows."""
    obstacle: str
    """Why they were not compared head to head; empty if they were."""
    comparison: "Comparison | None"
    """The newer version as challenger of the older one."""
    margin: float
    standing: "Standing | None"
    """Of the newer version."""
    rows_missing: int | None
    """Labelled rows that would decide it: 0 where it is decided, None where no number would."""
    rows_digest: str
    guards: list[str] = field(default_factory=list)
    """Declared guards that the newer version breaks."""

    @property
    def recommendation(self) -> str:
        """Which of the two, in one sentence."""
        if self.standing is None:
            return f"No recommendation: {self.obstacle}."
        if self.guards and self.standing in ("superior", "non-inferior"):
            return f"Stay with version {self.older}: version {self.newer} is {self.standing}, but {self.guards[0]}."
        return {
            "superior": f"Prefer version {self.newer}: it is better, with the whole interval above zero.",
            "non-inferior": f"Either will do: version {self.newer} is at most {self.margin:g} worse, the margin.",
            "inferior": f"Prefer version {self.older}: version {self.newer} is worse than the margin allows.",
            "undecided": f"Stay with version {self.older}: these rows do not tell the two apart{self._rows_needed}.",
        }[self.standing]

    @property
    def _rows_needed(self) -> str:
        if self.rows_missing is None:
            return ", nor would any number of rows"
        return f"; {rows_wanted(self.rows_missing)}"


def compare_versions(session: "RegistrySession", first: int, second: int) -> VersionComparison:
    """Compare two registered versions, the one with the higher number as the challenger.

    Raises:
        SpecError: if they are the same version.
        StorageError: if there is no such version, or its evidence is not what was registered.
    """
    if first == second:
        raise SpecError(f"{session.system} version {first} cannot be compared with itself. Remedy: name two versions")
    older, newer = (session.version(number) for number in sorted((first, second)))
    reports = [own_report(session, version) for version in (older, newer)]
    head_to_head = challenge(session, newer, older)
    margin, comparison = session.spec.registry.margin, head_to_head.comparison
    return VersionComparison(
        system=session.system,
        older=older.version,
        newer=newer.version,
        lines=_lines(older.version, newer.version, *reports),
        same_rows=older.features_digest == newer.features_digest,
        obstacle=_obstacle(head_to_head, older.version, newer.version),
        comparison=comparison,
        margin=margin,
        standing=comparison.standing(margin) if comparison else None,
        rows_missing=comparison.rows_missing(margin) if comparison else None,
        rows_digest=head_to_head.rows_digest,
        guards=[guard.message for guard in head_to_head.guards if not guard.kept],
    )


def _lines(older: int, newer: int, first: "Report", second: "Report") -> list[MetricPair]:
    lines = []
    for name, info in METRICS.items():
        old, new = first.metric(name), second.metric(name)
        if old is None or new is None:
            continue
        better = None
        if old.value is not None and new.value is not None and old.value != new.value:
            better = newer if (new.value > old.value) == info.greater_is_better else older
        values, intervals = (old.value, new.value), (old.interval, new.interval)
        lines.append(MetricPair(name, info.greater_is_better, values, intervals, better))
    return lines


def _obstacle(challenge: Challenge, older: int, newer: int) -> str:
    """``challenge.obstacle`` in words that fit two versions of which none needs to be champion."""
    return challenge.obstacle.replace(f"champion version {older}", f"version {older}")
