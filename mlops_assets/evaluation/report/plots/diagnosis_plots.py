"""Diagnosis plots: each diagnosis of a report drawn from its own tables and measures."""

from collections.abc import Callable, Iterator

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.forest import Guide, Line, forest
from mlops_assets.evaluation.report.plots.readings import bounds_on, interval_of, measure_of, number, rows_of
from mlops_assets.evaluation.report.plots.reliability_plots import reliability_plots
from mlops_assets.evaluation.report.plots.residual_plots import residual_plots
from mlops_assets.evaluation.report.plots.robustness_plots import robustness_plots
from mlops_assets.evaluation.report.report import Report
from mlops_assets.metrics.formatting import figure

Plots = Iterator[tuple[str, str]]
"""Title and SVG."""


def diagnosis_plots(diagnosis: Diagnosis, report: Report) -> list[tuple[str, str]]:
    """Title and SVG of every plot that the diagnosis has numbers for."""
    draw = DRAWINGS.get(diagnosis.name)
    return [] if draw is None else list(draw(diagnosis, report))


def conformal_plots(diagnosis: Diagnosis, report: Report) -> Plots:
    """Coverage of each segment against the stated one; a segment is flagged whose whole interval lies below it."""
    rows = rows_of(diagnosis, "segment", "rows", "coverage", "from", "to")
    found = [(str(name), count, number(share), interval_of(*ends)) for name, count, share, *ends in rows]
    shares = [share for _, _, share, _ in found if share is not None]
    gap = measure_of(diagnosis, "coverage_gap")
    if not shares or gap is None or gap.value is None:
        return
    nominal = gap.value + min(shares)
    lines = [
        Line(name, share, ends, f"{figure(share)}{' under-covered' if under else ''}, {count:,} rows", under)
        for name, count, share, ends in found
        if share is not None
        for under in [ends is not None and ends[1] < nominal]
    ]
    overall = measure_of(diagnosis, "coverage")
    if overall is not None and overall.value is not None:
        beside = f"{figure(overall.value)}, {overall.rows:,} rows"
        lines.insert(0, Line("all test rows", overall.value, overall.interval, beside))
    under = sum(line.flagged for line in lines)
    yield (
        "Coverage by segment",
        forest(
            "Coverage by segment",
            f"Share of test rows within their interval or label set, for {len(shares)} segments; {under} of them "
            f"lie below the stated {figure(nominal)} with their whole interval, the lowest covers "
            f"{figure(min(shares))}",
            "share of rows that are covered",
            lines,
            [Guide(nominal, f"stated {figure(nominal)}")],
        ),
    )


def slices_plots(diagnosis: Diagnosis, report: Report) -> Plots:
    """How much more a row of each slice costs than one of the rest."""
    rows = rows_of(diagnosis, "slice", "rows", "gap", "low", "high", "significant")
    lines = [
        Line(str(name), gap, interval_of(low, high), f"{'worse, ' if worse else ''}{count:,} rows", worse)
        for name, count, cell, low, high, word in rows
        for gap, worse in [(number(cell), word == "worse")]
        if gap is not None
    ]
    if not lines:
        return
    worse = sum(line.flagged for line in lines)
    first = max(lines, key=lambda line: line.value)
    yield (
        "Gap of each slice",
        forest(
            "Gap of each slice",
            f"What a row of a slice costs beyond a row of the rest; {worse} of {len(lines)} slices are significantly "
            f"worse, the largest gap is {figure(first.value)} ({first.name})",
            "excess cost of a row over the rest",
            lines,
            [Guide(0.0, "no gap"), *_guides(diagnosis, "worst_gap", report)],
        ),
    )


def fairness_plots(diagnosis: Diagnosis, report: Report) -> Plots:
    """Each rate of each group of the protected columns."""
    rows = rows_of(diagnosis, "rate", "column", "group", "of rows", "value", "low", "high")
    for rate in dict.fromkeys(str(row[0]) for row in rows):
        lines = [
            Line(f"{column}: {group}", share, interval_of(low, high), f"{figure(share)} of {count:,} rows")
            for name, column, group, count, value, low, high in rows
            for share in [number(value)]
            if name == rate and share is not None
        ]
        if not lines:
            continue
        values = [line.value for line in lines]
        described = f"{rate.capitalize()} of {len(lines)} groups, from {figure(min(values))} to {figure(max(values))}"
        title = f"{rate.capitalize()} by group"
        yield title, forest(title, described, rate, lines)


def consistency_plots(diagnosis: Diagnosis, report: Report) -> Plots:
    """The share of steps that go against each declared direction."""
    rows = rows_of(diagnosis, "feature", "declared", "steps", "against", "from", "to")
    lines = [
        Line(f"{name} ({declared})", share, interval_of(low, high), f"{figure(share)} of {steps:,} steps")
        for name, declared, steps, against, low, high in rows
        for share in [number(against)]
        if share is not None
    ]
    if not lines:
        return
    worst = max(lines, key=lambda line: line.value)
    yield (
        "Steps against the declared directions",
        forest(
            "Steps against the declared directions",
            f"Share of steps against the direction for {len(lines)} features; most for {worst.name}: "
            f"{figure(worst.value)}",
            "share of steps against the direction",
            lines,
            [Guide(0.0, "none"), *_guides(diagnosis, "monotone_violations", report)],
        ),
    )


def efficiency_plots(diagnosis: Diagnosis, report: Report) -> Plots:
    """The percentiles of one prediction's time."""
    names = {"latency_p50_ms": "median", "latency_p95_ms": "95th percentile", "latency_p99_ms": "99th percentile"}
    found = [(told, measure_of(diagnosis, name)) for name, told in names.items()]
    lines = [
        Line(told, one.value, one.interval, f"{figure(one.value)} ms")
        for told, one in found
        if one is not None and one.value is not None
    ]
    if not lines:
        return
    guides = [guide for name, told in names.items() for guide in _guides(diagnosis, name, report, f"{told} ")]
    yield (
        "Time of one prediction",
        forest(
            "Time of one prediction",
            "; ".join(f"{line.name} {line.beside}" for line in lines),
            "milliseconds",
            lines,
            [Guide(0.0, ""), *guides],
        ),
    )


def _guides(diagnosis: Diagnosis, measure: str, report: Report, before: str = "") -> list[Guide]:
    return [
        Guide(bound, f"gate: {before}{told}", bound=True) for bound, told in bounds_on(diagnosis, measure, report.gates)
    ]


DRAWINGS: dict[str, Callable[[Diagnosis, Report], Plots]] = {
    "residuals": residual_plots,
    "robustness": robustness_plots,
    "calibration": reliability_plots,
    "conformal": conformal_plots,
    "consistency": consistency_plots,
    "slices": slices_plots,
    "fairness": fairness_plots,
    "efficiency": efficiency_plots,
}
