"""Reliability plots: how often what is stated with some probability comes true, against what chance would show."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from mlops_assets.evaluation.diagnoses.calibration import ReliabilityRow
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.svg import Area, drawing, tag
from mlops_assets.metrics.formatting import figure
from mlops_assets.verdict import Verdict

WITHIN = "#1f6feb"
BEYOND = "#d1495b"
KEY = "dashed: as stated; grey: what chance shows; red diamond: beyond it"
COUNTS = 70.0
"""Height of the bars of counts."""


def reliability_plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """The reliability diagram with the rows of each bin below it."""
    bins = diagnosis.rows(ReliabilityRow)
    if bins:
        yield "Reliability", _drawn(diagnosis, bins)


def _drawn(diagnosis: Diagnosis, bins: list[ReliabilityRow]) -> str:
    area = Area((0, 1), (0, 1), 440, 380)
    parts = [area.line([(0, 0), (1, 1)], class_="guide")]
    for row in bins:
        parts += _bin(area, row)
    most = max(row.rows for row in bins)
    for row in bins:
        parts += _count(area, row, most)
    total, beyond = sum(row.rows for row in bins), sum(map(_is_beyond, bins))
    error = diagnosis.measure("ece")
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


def _is_beyond(row: ReliabilityRow) -> bool:
    return not row.chance_low <= row.observed <= row.chance_high


def _bin(area: Area, row: ReliabilityRow) -> Iterator[Markup]:
    x, y = area.at(row.stated, row.observed)
    low, high = (area.at(row.stated, end)[1] for end in (row.chance_low, row.chance_high))
    yield tag("rect", x=x - 6, y=high, width=12, height=max(low - high, 1), rx=2, class_="band")
    hint = tag("title", f"stated {figure(row.stated)}, observed {figure(row.observed)}, {row.rows:,} rows")
    if _is_beyond(row):
        yield tag("path", hint, d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", fill=BEYOND)
    else:
        yield tag("circle", hint, cx=x, cy=y, r=4.5, fill=WITHIN)


def _count(area: Area, row: ReliabilityRow, most: int) -> Iterator[Markup]:
    x, base = area.at(row.stated, 0)[0], area.height + COUNTS
    height = (COUNTS - 22) * row.rows / most
    yield tag("rect", x=x - 7, y=base - height, width=14, height=max(height, 1), fill=WITHIN, fill_opacity="0.55")
    yield tag("text", f"{row.rows:,}", x=x, y=base - height - 4, class_="ink tiny middle")
