"""Forest: many shares or gaps as dot and interval, one below the other, against lines that mean something."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.gate_bounds import bounds_on
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, shortened, tag
from mlops_assets.verdict import Verdict

COLOUR = "#1f6feb"
FLAGGED = "#d1495b"
MOST = 20
"""Lines that are drawn; the table behind the plot has them all."""
ROW = 24.0
LEFT, RIGHT, TOP, BOTTOM = 290.0, 190.0, 26.0, 48.0
WIDTH = 860.0
BOUND = "#b3261e"


@dataclass(frozen=True)
class ForestLine:
    """One number with its interval."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    beside: str = ""
    """What is written to the right of it."""
    flagged: bool = False
    """Drawn as a red diamond; ``beside`` says why."""


@dataclass(frozen=True)
class Guide:
    """A dashed line with its meaning."""

    at: float
    text: str
    bound: bool = False
    """Whether a gate sets it: drawn in red, and the text says so."""


def interval_of(low: float | None, high: float | None) -> tuple[float, float] | None:
    """Two ends as an interval, or None where there is none."""
    return None if low is None or high is None else (low, high)


def gate_guides(diagnosis: Diagnosis, measure: str, gates: Iterable[Verdict], before: str = "") -> list[Guide]:
    """A guide for each bound that a gate sets on the measure."""
    return [
        Guide(bound, f"gate: {before}{sentence}", bound=True)
        for bound, sentence in bounds_on(diagnosis, measure, gates)
    ]


def forest(title: str, description: str, axis: str, lines: Sequence[ForestLine], guides: Sequence[Guide] = ()) -> str:
    """The first 20 ``lines`` from above to below on one scale."""
    shown = lines[:MOST]
    ends = [end for line in shown for end in (line.value, *(line.interval or ()))]
    height = TOP + ROW * len(shown) + BOTTOM
    across = padded([*ends, *(guide.at for guide in guides)])
    area = Area(across, (0, len(shown)), WIDTH, height, LEFT, RIGHT, TOP, BOTTOM)
    parts = [area.axes(axis)]
    for index, guide in enumerate(guides):
        parts += _guide(area, guide, len(shown), first=index == 0)
    for index, line in enumerate(shown):
        parts += _line(area, line, len(shown) - index - 0.5)
    return drawing(title, description, WIDTH, height, *parts)


def _guide(area: Area, guide: Guide, top: float, first: bool) -> Iterator[Markup]:
    x, y = area.at(guide.at, top)
    look = {"stroke": BOUND, "stroke_width": 1.5, "stroke_dasharray": "7 3"} if guide.bound else {"class_": "guide"}
    yield area.line([(guide.at, 0), (guide.at, top)], **look)
    # Two guides may lie close together: their words go to different sides.
    yield tag("text", guide.text, x=x + (-4 if first else 4), y=y - 8, class_=f"muted small{' end' if first else ''}")


def _line(area: Area, line: ForestLine, level: float) -> Iterator[Markup]:
    x, y = area.at(line.value, level)
    yield tag(
        "text", tag("title", line.name), shortened(line.name, 38), x=area.left - 10, y=y + 4, class_="ink end isolated"
    )
    if line.interval:
        low, high = (area.at(end, level)[0] for end in line.interval)
        yield tag("line", x1=low, x2=high, y1=y, y2=y, class_="whisker")
    if line.flagged:
        yield tag("path", d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", fill=FLAGGED)
    else:
        yield tag("circle", cx=x, cy=y, r=4.5, fill=COLOUR)
    yield tag("text", shortened(line.beside, 34), x=area.width - area.right + 10, y=y + 4, class_="muted small")
