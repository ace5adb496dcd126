"""Residual plots: the errors' quantiles against a normal distribution, and their bias by predicted value."""

from collections.abc import Iterator

from markupsafe import Markup

from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.readings import interval_of, measure_of, number, rows_of
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, tag
from mlops_assets.evaluation.report.report import Report
from mlops_assets.metrics.formatting import figure

ERROR = "#1f6feb"
BIAS = "#c77700"


def residual_plots(diagnosis: Diagnosis, report: Report) -> Iterator[tuple[str, str]]:
    """What the tables of the diagnosis allow to draw."""
    quantiles = [
        (normal, error)
        for cells in rows_of(diagnosis, "if normal", "error")
        for normal, error in [(number(cells[0]), number(cells[1]))]
        if normal is not None and error is not None
    ]
    if quantiles:
        yield "Normal Q–Q of the errors", _normal_plot(diagnosis, quantiles)
    segments = bias_segments(diagnosis)
    if segments:
        yield "Mean error by predicted value", _bias_plot(segments)


def bias_segments(
    diagnosis: Diagnosis,
) -> list[tuple[float, float, float, tuple[float, float] | None]]:
    """Predicted from and to, mean error and its interval, for each tenth of the predictions."""
    return [
        (ends[0], ends[1], mean, interval_of(low, high))
        for start, end, error, low, high in rows_of(diagnosis, "predicted from", "to", "mean error", "low", "high")
        for ends, mean in [(interval_of(start, end), number(error))]
        if ends is not None and mean is not None
    ]


def bias_steps(area: Area, diagnosis: Diagnosis) -> Markup:
    """The mean error of each tenth as a step over its predicted values, for a plot of errors against predictions."""
    low, high = area.x
    return Markup("").join(
        area.line([(max(start, low), mean), (min(end, high), mean)], stroke=BIAS, stroke_width=3)
        for start, end, mean, _ in bias_segments(diagnosis)
    )


def _normal_plot(diagnosis: Diagnosis, quantiles: list[tuple[float, float]]) -> str:
    area = Area(padded([x for x, _ in quantiles]), padded([value for point in quantiles for value in point]))
    first, last = quantiles[0][0], quantiles[-1][0]
    dots = [tag("circle", cx=x, cy=y, r=3, fill=ERROR) for x, y in (area.at(*point) for point in quantiles)]
    kurtosis = measure_of(diagnosis, "excess_kurtosis")
    tails = "" if kurtosis is None else f"; excess kurtosis {figure(kurtosis.value)}"
    return drawing(
        "Normal Q–Q of the errors",
        f"Quantiles of the errors against those of a normal distribution of equal mean and SD; dashed: a normal "
        f"distribution. The smallest drawn is {figure(quantiles[0][1])} where a normal one has {figure(first)}, the "
        f"largest {figure(quantiles[-1][1])} where it has {figure(last)}{tails}",
        area.width,
        area.height,
        area.axes("error if normal", "error (predicted minus true)"),
        area.line([(first, first), (last, last)], class_="guide"),
        *dots,
    )


def _bias_plot(segments: list[tuple[float, float, float, tuple[float, float] | None]]) -> str:
    across = padded([value for start, end, _, _ in segments for value in (start, end)])
    area = Area(across, padded([0.0, *(end for _, _, mean, ends in segments for end in (mean, *(ends or ())))]))
    parts = [area.line([(across[0], 0), (across[1], 0)], class_="guide")]
    for start, end, mean, ends in segments:
        middle = (start + end) / 2
        parts.append(area.line([(start, mean), (end, mean)], stroke=ERROR, stroke_width=3))
        if ends is not None:
            parts.append(area.line([(middle, ends[0]), (middle, ends[1])], class_="whisker"))
    worst = max(segments, key=lambda one: abs(one[2]))
    return drawing(
        "Mean error by predicted value",
        f"Mean error of {len(segments)} parts of the predictions, with intervals that hold together; dashed: no bias. "
        f"Largest: {figure(worst[2])} where {figure(worst[0])} to {figure(worst[1])} is predicted",
        area.width,
        area.height,
        area.axes("predicted value", "mean error (predicted minus true)"),
        *parts,
    )
