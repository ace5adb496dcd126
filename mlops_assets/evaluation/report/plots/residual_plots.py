"""Residual plots: the errors' quantiles against a normal distribution, and their bias by predicted value."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from mlops_assets.evaluation.diagnoses.residual_bias import BiasRow
from mlops_assets.evaluation.diagnoses.residuals import QuantileRow
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.plots.forest import interval_of
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, tag
from mlops_assets.metrics.formatting import figure
from mlops_assets.verdict import Verdict

ERROR = "#1f6feb"
BIAS = "#c77700"


def residual_plots(diagnosis: Diagnosis, gates: Sequence[Verdict]) -> Iterator[tuple[str, str]]:
    """What the tables of the diagnosis allow to draw."""
    quantiles = diagnosis.rows(QuantileRow)
    if quantiles:
        yield "Normal Q–Q of the errors", _normal_plot(diagnosis, quantiles)
    biases = diagnosis.rows(BiasRow)
    if biases:
        yield "Mean error by predicted value", _bias_plot(biases)


def bias_steps(area: Area, diagnosis: Diagnosis) -> Markup:
    """The mean error of each tenth as a step over its predicted values, for a plot of errors against predictions."""
    low, high = area.x
    return Markup("").join(
        area.line(
            [(max(row.start, low), row.mean_error), (min(row.end, high), row.mean_error)], stroke=BIAS, stroke_width=3
        )
        for row in diagnosis.rows(BiasRow)
    )


def _normal_plot(diagnosis: Diagnosis, quantiles: list[QuantileRow]) -> str:
    points = [(row.normal, row.error) for row in quantiles]
    area = Area(padded([normal for normal, _ in points]), padded([value for point in points for value in point]))
    first, last = quantiles[0], quantiles[-1]
    dots = [tag("circle", cx=x, cy=y, r=3, fill=ERROR) for x, y in (area.at(*point) for point in points)]
    kurtosis = diagnosis.measure("excess_kurtosis")
    tails = "" if kurtosis is None else f"; excess kurtosis {figure(kurtosis.value)}"
    return drawing(
        "Normal Q–Q of the errors",
        f"Quantiles of the errors against those of a normal distribution of equal mean and SD; dashed: a normal "
        f"distribution. The smallest drawn is {figure(first.error)} where a normal one has {figure(first.normal)}, the "
        f"largest {figure(last.error)} where it has {figure(last.normal)}{tails}",
        area.width,
        area.height,
        area.axes("error if normal", "error (predicted minus true)"),
        area.line([(first.normal, first.normal), (last.normal, last.normal)], class_="guide"),
        *dots,
    )


def _bias_plot(biases: list[BiasRow]) -> str:
    across = padded([value for row in biases for value in (row.start, row.end)])
    heights = [end for row in biases for end in (row.mean_error, *(interval_of(row.low, row.high) or ()))]
    area = Area(across, padded([0.0, *heights]))
    parts = [area.line([(across[0], 0), (across[1], 0)], class_="guide")]
    for row in biases:
        middle, interval = (row.start + row.end) / 2, interval_of(row.low, row.high)
        parts.append(area.line([(row.start, row.mean_error), (row.end, row.mean_error)], stroke=ERROR, stroke_width=3))
        if interval is not None:
            parts.append(area.line([(middle, end) for end in interval], class_="whisker"))
    worst = max(biases, key=lambda row: abs(row.mean_error))
    return drawing(
        "Mean error by predicted value",
        f"Mean error of {len(biases)} parts of the predictions, with intervals that hold together; dashed: no bias. "
        f"Largest: {figure(worst.mean_error)} where {figure(worst.start)} to {figure(worst.end)} is predicted",
        area.width,
        area.height,
        area.axes("predicted value", "mean error (predicted minus true)"),
        *parts,
    )
