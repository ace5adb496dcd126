"""Reliability plots: how often what is stated with some probability comes true, against what chance would show."""

from collections.abc import Iterator

from markupsafe import Markup

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.readings import interval_of, measure_of, number, rows_of
from mlops_assets.evaluation.report.plots.svg import Area, drawing, tag
from mlops_assets.evaluation.report.report import Report
from mlops_assets.metrics.formatting import figure

WITHIN = "#1f6feb"
BEYOND = "#d1495b"
KEY = "dashed: as stated; grey: what chance shows; red diamond: beyond it"
COUNTS = 70.0
"""Height of the bars of counts."""

Bin = tuple[float, float, int, tuple[float, float] | None]
"""Mean stated probability, observed share, rows, and the shares that chance would show."""


def reliability_plots(diagnosis: Diagnosis, report: Report) -> Iterator[tuple[str, str]]:
    """The reliability diagram with the rows of each bin below it."""
    bins = [
        (stated, observed, int(number(rows) or 0), interval_of(low, high))
        for x, y, rows, low, high in rows_of(
            diagnosis, "mean stated", "observed share", "rows", "chance from", "chance to"
        )
        for stated, observed in [(number(x), number(y))]
        if stated is not None and observed is not None
    ]
    if bins:
        yield "Reliability", _drawn(diagnosis, bins)


def _drawn(diagnosis: Diagnosis, bins: list[Bin]) -> str:
    area = Area((0, 1), (0, 1), 440, 380)
    parts = [area.line([(0, 0), (1, 1)], class_="guide")]
    for one in bins:
        parts += _bin(area, one)
    most = max(rows for _, _, rows, _ in bins)
    for stated, _, rows, _ in bins:
        parts += _count(area, stated, rows, most)
    total, beyond = sum(rows for _, _, rows, _ in bins), sum(_is_beyond(one) for one in bins)
    error = measure_of(diagnosis, "ece")
    said = "" if error is None else f"; calibration error {figure(error.value)}"
    base = area.height + COUNTS
    return drawing(
        "Reliability",
        f"Observed share against stated probability in {len(bins)} bins of {total:,} rows; dashed: as stated; grey: "
        f"what chance shows if every probability is right; {beyond} bins lie beyond it (diamonds){said}",
        area.width,
        base + 44,
        area.axes("stated probability", "observed share"),
        *parts,
        tag("text", "rows of each bin", x=(area.left + area.width) / 2, y=base + 15, class_="muted middle small"),
        tag("text", KEY, x=(area.left + area.width) / 2, y=base + 35, class_="muted middle small"),
    )


def _is_beyond(one: Bin) -> bool:
    _, observed, _, chance = one
    return chance is not None and not chance[0] <= observed <= chance[1]


def _bin(area: Area, one: Bin) -> Iterator[Markup]:
    stated, observed, rows, chance = one
    x, y = area.at(stated, observed)
    if chance is not None:
        low, high = (area.at(stated, end)[1] for end in chance)
        yield tag("rect", x=x - 6, y=high, width=12, height=max(low - high, 1), rx=2, class_="band")
    hint = tag("title", f"stated {figure(stated)}, observed {figure(observed)}, {rows:,} rows")
    if _is_beyond(one):
        yield tag("path", hint, d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", fill=BEYOND)
    else:
        yield tag("circle", hint, cx=x, cy=y, r=4.5, fill=WITHIN)


def _count(area: Area, stated: float, rows: int, most: int) -> Iterator[Markup]:
    x, base = area.at(stated, 0)[0], area.height + COUNTS
    height = (COUNTS - 22) * rows / most
    yield tag("rect", x=x - 7, y=base - height, width=14, height=max(height, 1), fill=WITHIN, fill_opacity="0.55")
    yield tag("text", f"{rows:,}", x=x, y=base - height - 4, class_="ink tiny middle")
