"""Plots: each diagram of a report as a small self-contained SVG."""

from collections.abc import Iterator

from markupsafe import Markup

from mlops_assets.evaluation.diagnoses.importance import FeatureImportance
from mlops_assets.evaluation.report.plot_data import Curve
from mlops_assets.evaluation.report.plots.metric_strips import MODEL, metrics_plot
from mlops_assets.evaluation.report.plots.residual_plots import bias_steps
from mlops_assets.evaluation.report.plots.svg import Area, drawing, padded, shortened, tag
from mlops_assets.evaluation.report.report import Report
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.metrics.formatting import figure

PALETTE = (MODEL, "#d1495b", "#2a9d5c", "#c77700", "#7b4fd1", "#0f8b8d", "#b5407f", "#6b7280")
DASHES = ("none", "8 3", "2 3", "9 3 2 3", "14 4")
"""Together with the palette they tell curves apart, also without colours."""
WRONG = "#d1495b"
MOST_CELLS = 20
"""Classes up to which the confusion matrix is drawn."""
MOST_BARS = 15


def plots(report: Report) -> list[tuple[str, str]]:
    """Title and SVG of every plot that this report has numbers for."""
    return [("Metrics against the baselines", metrics_plot(report)), *_diagrams(report)]


def confusion_plot(report: Report) -> str:
    """Rows by true class, columns by predicted class; shade by share of the true class."""
    size = len(report.classes)
    cell = max(26.0, min(64.0, 330 / size))
    left, top = 124.0, 52.0
    across = f"translate(14 {top + size * cell / 2:g}) rotate(-90)"
    parts = [
        tag("text", "predicted class", x=left + size * cell / 2, y=16, class_="muted middle"),
        tag("text", "true class", transform=across, class_="muted middle"),
    ]
    for index, label in enumerate(report.classes):
        parts += _confusion_names(label, index, cell, left, top)
        parts += _confusion_row(report.confusion[index], index, cell, left, top)
    right = sum(report.confusion[index][index] for index in range(size))
    description = f"{right} of {report.test_rows} test rows are on the diagonal, that is, predicted as their true class"
    return drawing("Confusion matrix", description, left + size * cell + 16, top + size * cell + 10, *parts)


def roc_plot(report: Report) -> str:
    """True against false positive rate of each class; the dashed line is chance."""
    area = Area((0, 1), (0, 1))
    description = "Share of a class that is found against share of the others wrongly taken for it; dashed: by chance"
    chance = area.line([(0, 0), (1, 1)], class_="guide")
    return _curves("ROC curve", description, area, report.roc, ("false positive rate", "true positive rate"), chance)


def precision_recall_plot(report: Report) -> str:
    """Precision against recall of each class."""
    description = "How precise the predictions of a class stay while more and more of the class is found"
    titles = ("recall", "precision")
    return _curves("Precision and recall", description, Area((0, 1), (0, 1)), report.precision_recall, titles)


def predicted_plot(report: Report) -> str:
    """Predicted against true value; a perfect model lies on the dashed line."""
    span = padded([value for point in report.points for value in point])
    area = Area(span, span)
    ideal = area.line([(span[0], span[0]), (span[1], span[1])], class_="guide")
    description = f"{len(report.points)} test rows; dashed: a perfect prediction"
    return _scatter(
        "Predicted against true", description, area, report.points, ("true value", "predicted value"), ideal
    )


def residual_plot(report: Report) -> str:
    """Error (prediction minus truth) against the predicted value."""
    points = [(predicted, predicted - truth) for truth, predicted in report.points]
    across = padded([x for x, _ in points])
    area = Area(across, padded([0.0, *(y for _, y in points)]))
    zero = area.line([(across[0], 0), (across[1], 0)], class_="guide")
    description = f"Errors of {len(points)} test rows; a good model scatters evenly around the dashed line"
    steps = [bias_steps(area, diagnosis) for diagnosis in report.diagnoses if diagnosis.name == "residuals"]
    if any(steps):
        description += "; orange steps: mean error of each tenth of the predictions"
    titles = ("predicted value", "predicted minus true")
    return _scatter("Residuals", description, area, points, titles, Markup("").join([zero, *steps]))


def importance_plot(report: Report) -> str:
    """What the metric loses when one feature is shuffled, with a standard deviation each way."""
    shown = report.importance.features[:MOST_BARS]
    low = min(0.0, *(item.mean - item.sd for item in shown))
    high = max(0.0, *(item.mean + item.sd for item in shown))
    area = Area((low, high if high > low else low + 1), (0, len(shown)), 560, 24.0 * len(shown) + 56, 180, 76, 8, 48)
    bars = [part for index, item in enumerate(shown) for part in _bar(area, item, len(shown) - index - 0.5)]
    description = "; ".join(f"{item.feature} {figure(item.mean)}" for item in shown)
    axes = area.axes(f"loss of {METRICS[report.importance.metric].title.lower()} when the feature is shuffled")
    return drawing("Permutation importance", description, area.width, area.height, axes, *bars)


def _diagrams(report: Report) -> Iterator[tuple[str, str]]:
    if report.confusion and len(report.classes) <= MOST_CELLS:
        yield "Confusion matrix", confusion_plot(report)
    if report.roc:
        yield "ROC curve", roc_plot(report)
    if report.precision_recall:
        yield "Precision and recall", precision_recall_plot(report)
    if report.points:
        yield "Predicted against true", predicted_plot(report)
        yield "Residuals", residual_plot(report)
    if report.importance.features:
        yield "Permutation importance", importance_plot(report)


def _confusion_names(label: object, index: int, cell: float, left: float, top: float) -> Iterator[Markup]:
    middle = (index + 0.5) * cell
    hint = tag("title", str(label))
    yield tag("text", hint, shortened(label, 13), x=left - 8, y=top + middle + 4, class_="ink end")
    yield tag("text", hint, shortened(label, max(3, int(cell / 7))), x=left + middle, y=top - 8, class_="ink middle")


def _confusion_row(counts: list[int], index: int, cell: float, left: float, top: float) -> Iterator[Markup]:
    total = sum(counts) or 1
    y = top + index * cell
    for column, count in enumerate(counts):
        x, share = left + column * cell, count / total
        colour = MODEL if column == index else WRONG
        yield tag("rect", x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, rx=3, class_="cell")
        if count:
            shade = f"{0.1 + 0.5 * share:.2f}"  # text of the page's ink stays readable on the darkest
            yield tag("rect", x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, rx=3, fill=colour, fill_opacity=shade)
        yield tag("text", f"{count:,}", x=x + cell / 2, y=y + cell / 2 + 4, class_="ink middle")


def _curves(
    title: str, description: str, area: Area, curves: list[Curve], titles: tuple[str, str], *under: Markup
) -> str:
    lines = [
        area.line(curve.points, stroke_width=2, stroke_linejoin="round", **_look(index))
        for index, curve in enumerate(curves[: len(PALETTE)])
    ]
    legend = [part for index, curve in enumerate(curves) for part in _legend_entry(area, curve, index)]
    height = area.height + 20 * len(curves)
    return drawing(title, description, area.width, height, area.axes(*titles), *under, *lines, *legend)


def _legend_entry(area: Area, curve: Curve, index: int) -> Iterator[Markup]:
    y = area.height + 8 + 20 * index
    yield tag("line", x1=area.left, x2=area.left + 24, y1=y, y2=y, stroke_width=2, **_look(index))
    hint = tag("title", str(curve.label))
    yield tag("text", hint, shortened(curve.label, 44), x=area.left + 30, y=y + 4, class_="ink")


def _look(index: int) -> dict[str, str]:
    return {"stroke": PALETTE[index % len(PALETTE)], "stroke_dasharray": DASHES[index % len(DASHES)]}


def _scatter(
    title: str,
    description: str,
    area: Area,
    points: list[tuple[float, float]],
    titles: tuple[str, str],
    guide: Markup,
) -> str:
    dots = area.dots(points, stroke=MODEL, stroke_width=4, stroke_opacity="0.4")
    return drawing(title, description, area.width, area.height, area.axes(*titles), dots, guide)


def _bar(area: Area, item: FeatureImportance, level: float) -> Iterator[Markup]:
    (zero, y), (end, _) = area.at(0, level), area.at(item.mean, level)
    low, high = area.at(item.mean - item.sd, level)[0], area.at(item.mean + item.sd, level)[0]
    hint = tag("title", item.feature)
    yield tag("text", hint, shortened(item.feature, 23), x=area.left - 8, y=y + 4, class_="ink end")
    yield tag("rect", x=min(zero, end), y=y - 7, width=abs(end - zero), height=14, rx=2, fill=MODEL)
    yield tag("line", x1=low, x2=high, y1=y, y2=y, class_="whisker")
    yield tag("text", figure(item.mean), x=max(zero, high) + 6, y=y + 4, class_="muted small")
