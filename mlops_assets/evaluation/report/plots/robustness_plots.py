"""Robustness plots: the curve of a metric's loss as rows get noisy or incomplete, with the gates' bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from mlops_assets.evaluation.diagnoses.robustness import LossRow
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.forest import interval_of
from mlops_assets.evaluation.report.plots.gate_bounds import bounds_on
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, tag
from mlops_assets.verdict import Verdict

BOUND = "#b3261e"


@dataclass(frozen=True)
class Look:
    """How one perturbation is drawn: distinguished by colour, dashes and marks."""

    name: str
    title: str
    colour: str
    dashes: str
    side: float
    """Shift of its marks, so that intervals lie side by side."""


LOOKS = (Look("noise", "noise on numbers", "#1f6feb", "none", -3), Look("missing", "empty cells", "#c77700", "6 3", 3))


class LossMark(NamedTuple):
    """One mark of a curve, in per cent."""

    level: float
    loss: float
    interval: tuple[float, float] | None


class BoundMark(NamedTuple):
    """What a gate asks for at one level of one perturbation."""

    look: Look
    level: float
    bound: float
    words: str


def robustness_plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """Loss against strength for noise and for missing cells."""
    curves = [(look, _marks(diagnosis, look.name)) for look in LOOKS]
    curves = [(look, marks) for look, marks in curves if marks]
    if not curves:
        return
    bounds = [
        BoundMark(look, mark.level, bound, words)
        for look, marks in curves
        for mark in marks
        for bound, words in bounds_on(diagnosis, f"{look.name}_{mark.level:g}", gates)
    ]
    yield "Loss under perturbation", _drawn(curves, bounds)


def _marks(diagnosis: Diagnosis, perturbation: str) -> list[LossMark]:
    return [
        LossMark(round(100 * row.share, 6), 100 * row.loss, _per_cent(interval_of(row.low, row.high)))
        for row in diagnosis.rows(LossRow)
        if row.perturbation == perturbation and row.share is not None and row.loss is not None
    ]


def _per_cent(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return interval and (100 * interval[0], 100 * interval[1])


def _drawn(curves: list[tuple[Look, list[LossMark]]], bounds: list[BoundMark]) -> str:
    ends = [end for _, marks in curves for mark in marks for end in (mark.loss, *(mark.interval or ()))]
    most = max(mark.level for _, marks in curves for mark in marks)
    area = Area((0, most * 1.08), padded([0.0, *ends, *(100 * mark.bound for mark in bounds)]), 640, 330)
    parts = [area.line([(0, 0), (most * 1.08, 0)], class_="guide")]
    for index, (look, marks) in enumerate(curves):
        parts += _curve(area, look, marks)
        parts += _legend(area, look, index)
    for mark in bounds:
        parts += _bound(area, mark)
    said = [_said(look, marks) for look, marks in curves]
    said += [f"a gate asks for {mark.words} at {mark.level:g} % of {mark.look.title}" for mark in bounds]
    return drawing(
        "Loss under perturbation",
        f"Relative loss of the metric: {'; '.join(said)}",
        area.width,
        area.height + 24,
        area.axes("strength of the perturbation in %", "relative loss in %"),
        *parts,
    )


def _curve(area: Area, look: Look, marks: Sequence[LossMark]) -> Iterator[Markup]:
    line = [(0.0, 0.0), *((mark.level, mark.loss) for mark in marks)]
    yield area.line(line, stroke=look.colour, stroke_width=2, stroke_dasharray=look.dashes)
    for level, loss, interval in marks:
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
    yield tag("text", look.title, x=x + 34, y=y + 4, class_="ink")


def _bound(area: Area, mark: BoundMark) -> Iterator[Markup]:
    """A short line at its level; the words of the two perturbations stand on either side of it."""
    x, y = area.at(mark.level, 100 * mark.bound)
    right = mark.look.side > 0
    yield tag("line", x1=x - 16, x2=x + 16, y1=y, y2=y, stroke=BOUND, stroke_width=2.5)
    end = "" if right else " end"
    words = f"gate, {mark.look.title}: {mark.words}"
    yield tag("text", words, x=x + (20 if right else -20), y=y + 4, class_=f"ink small halo{end}")


def _said(look: Look, marks: Sequence[LossMark]) -> str:
    levels = ", ".join(f"{mark.loss:.1f} % at {mark.level:g} %" for mark in marks)
    return f"{look.title} {levels}"
