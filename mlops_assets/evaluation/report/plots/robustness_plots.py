"""Robustness plots: the curve of a metric's loss as rows get noisy or incomplete, with the gates' bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.readings import bounds_on, interval_of, number, rows_of
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, tag
from mlops_assets.evaluation.report.report import Report

BOUND = "#b3261e"


@dataclass(frozen=True)
class Look:
    """How one perturbation is drawn: told apart by colour, dashes and marks."""

    name: str
    told: str
    colour: str
    dashes: str
    side: float
    """Shift of its marks, so that intervals lie side by side."""


LOOKS = (Look("noise", "noise on numbers", "#1f6feb", "none", -3), Look("missing", "empty cells", "#c77700", "6 3", 3))

Point = tuple[float, float, tuple[float, float] | None]
"""Per cent of the perturbation, per cent of loss, its interval."""
Bound = tuple[Look, float, float, str]
"""Per cent of the perturbation at which a gate judges, its bound, the same in words."""


def robustness_plots(diagnosis: Diagnosis, report: Report) -> Iterator[tuple[str, str]]:
    """Loss against strength for noise and for missing cells."""
    curves = [(look, _points(diagnosis, look.name)) for look in LOOKS]
    curves = [(look, points) for look, points in curves if points]
    if not curves:
        return
    bounds = [
        (look, level, bound, told)
        for look, points in curves
        for level, _, _ in points
        for bound, told in bounds_on(diagnosis, f"{look.name}_{level:g}", report.gates)
    ]
    yield "Loss under perturbation", _drawn(curves, bounds)


def _points(diagnosis: Diagnosis, name: str) -> list[Point]:
    found = [
        (round(100 * share, 6), 100 * loss, interval_of(low, high))
        for kind, level, relative, low, high in rows_of(
            diagnosis, "perturbation", "share", "relative loss", "low", "high"
        )
        for share, loss in [(number(level), number(relative))]
        if kind == name and share is not None and loss is not None
    ]
    return [(x, y, ends and (100 * ends[0], 100 * ends[1])) for x, y, ends in found]


def _drawn(curves: list[tuple[Look, list[Point]]], bounds: list[Bound]) -> str:
    ends = [end for _, points in curves for _, loss, interval in points for end in (loss, *(interval or ()))]
    most = max(x for _, points in curves for x, _, _ in points)
    area = Area((0, most * 1.08), padded([0.0, *ends, *(100 * bound for _, _, bound, _ in bounds)]), 640, 330)
    parts = [area.line([(0, 0), (most * 1.08, 0)], class_="guide")]
    for index, (look, points) in enumerate(curves):
        parts += _curve(area, look, points)
        parts += _legend(area, look, index)
    for bound in bounds:
        parts += _bound(area, *bound)
    said = [_said(look, points) for look, points in curves]
    said += [f"a gate asks for {told} at {level:g} % of {look.told}" for look, level, _, told in bounds]
    return drawing(
        "Loss under perturbation",
        f"Relative loss of the metric: {'; '.join(said)}",
        area.width,
        area.height + 24,
        area.axes("strength of the perturbation in %", "relative loss in %"),
        *parts,
    )


def _curve(area: Area, look: Look, points: Sequence[Point]) -> Iterator[Markup]:
    line = [(0.0, 0.0), *((x, y) for x, y, _ in points)]
    yield area.line(line, stroke=look.colour, stroke_width=2, stroke_dasharray=look.dashes)
    for level, loss, interval in points:
        x, y = area.at(level, loss)
        if interval:
            low, high = (area.at(level, end)[1] for end in interval)
            yield tag("line", x1=x + look.side, x2=x + look.side, y1=low, y2=high, class_="whisker")
        yield _mark(look, x, y)


def _mark(look: Look, x: float, y: float) -> Markup:
    if look.dashes == "none":
        return tag("circle", cx=x, cy=y, r=4, fill=look.colour)
    return tag("rect", x=x - 4, y=y - 4, width=8, height=8, fill=look.colour)


def _legend(area: Area, look: Look, index: int) -> Iterator[Markup]:
    x, y = area.left + 190 * index, area.height + 8
    dashes = {"stroke_dasharray": look.dashes}
    yield tag("line", x1=x, x2=x + 26, y1=y, y2=y, stroke=look.colour, stroke_width=2, **dashes)
    yield _mark(look, x + 13, y)
    yield tag("text", look.told, x=x + 34, y=y + 4, class_="ink")


def _bound(area: Area, look: Look, level: float, bound: float, told: str) -> Iterator[Markup]:
    """A short line at its level; the words of the two perturbations stand on either side of it."""
    x, y = area.at(level, 100 * bound)
    right = look.side > 0
    yield tag("line", x1=x - 16, x2=x + 16, y1=y, y2=y, stroke=BOUND, stroke_width=2.5)
    end = "" if right else " end"
    yield tag(
        "text", f"gate, {look.told}: {told}", x=x + (20 if right else -20), y=y + 4, class_=f"ink small halo{end}"
    )


def _said(look: Look, points: list[Point]) -> str:
    levels = ", ".join(f"{loss:.1f} % at {level:g} %" for level, loss, _ in points)
    return f"{look.told} {levels}"
