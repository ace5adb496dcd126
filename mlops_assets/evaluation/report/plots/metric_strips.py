"""Strips: a metric as dot and interval, beside its baselines, on its own scale."""

from collections.abc import Iterator

from markupsafe import Markup

from mlops_assets.evaluation.report.plots.svg import drawing, shortened, tag
from mlops_assets.evaluation.report.report import MetricReport, Report
from mlops_assets.metrics.estimate import Estimate
from mlops_assets.metrics.formatting import figure, interval_text

MODEL = "#1f6feb"
BASELINES = {"simple": "#7d8590", "linear": "#c77700"}
OTHER = "#7b4fd1"


def metric_strip(metric: MetricReport, width: float = 230, height: float = 30) -> str:
    """One metric: dot and interval of the model, marks of the baselines."""
    described = {"model": metric, **metric.baselines}
    description = "; ".join(
        f"{name} {figure(estimate.value)} {interval_text(estimate.interval)}"
        for name, estimate in described.items()
        if estimate.value is not None
    )
    return drawing(f"{metric.title} against the baselines", description, width, height, *_marks(metric, width, height))


def metrics_plot(report: Report) -> str:
    """Every evaluated metric with its interval beside the baselines."""
    shown = [metric for metric in report.metrics if metric.value is not None]
    row, top, left, width = 32.0, 36.0, 240.0, 720.0
    parts = [*_legend(report, left)]
    for index, metric in enumerate(shown):
        y = top + index * row
        name = shortened(metric.title, 34)
        parts += [
            tag("text", tag("title", metric.title), name, x=left - 10, y=y + 20, class_="ink end"),
            tag("g", *_marks(metric, 300, row), transform=f"translate({left:g} {y:g})"),
            tag("text", figure(metric.value), x=left + 314, y=y + 20, class_="ink strong"),
            tag("text", interval_text(metric.interval), x=left + 372, y=y + 20, class_="muted small"),
        ]
    description = "; ".join(f"{m.title} {figure(m.value)} {interval_text(m.interval)}" for m in shown)
    return drawing("Metrics against the baselines", description, width, top + row * len(shown) + 8, *parts)


def _legend(report: Report, left: float) -> Iterator[Markup]:
    x = left
    for name, text in [("model", "model"), *((name, f"{name} baseline") for name in report.baselines)]:
        yield _mark(name, x + 5, 15)
        yield tag("text", text, x=x + 14, y=19, class_="muted")
        x += 30 + 6.6 * len(text)


def _marks(metric: MetricReport, width: float, height: float) -> Iterator[Markup]:
    """Baselines above and below, the model in the middle and on top."""
    low, high = _scale(metric)
    middle = height / 2
    yield tag("line", x1=0, x2=width, y1=middle, y2=middle, class_="grid")
    lanes = {name: middle + (7 if index % 2 else -7) for index, name in enumerate(sorted(metric.baselines))}
    for name, estimate in [*metric.baselines.items(), ("model", metric)]:
        if estimate.value is None:
            continue
        y = lanes.get(name, middle)
        yield from _interval(estimate, name, low, high, width, y)
        yield _mark(name, _across(estimate.value, low, high, width), y)


def _interval(estimate: Estimate, name: str, low: float, high: float, width: float, y: float) -> Iterator[Markup]:
    if estimate.interval is None:
        return
    start, end = (_across(value, low, high, width) for value in estimate.interval)
    thick = 3 if name == "model" else 1.5
    yield tag("line", x1=start, x2=end, y1=y, y2=y, stroke=_colour(name), stroke_width=thick, stroke_linecap="round")


def _mark(name: str, x: float, y: float) -> Markup:
    if name == "model":
        return tag("circle", cx=x, cy=y, r=5, fill=MODEL)
    if name == "simple":
        return tag("rect", x=x - 3.5, y=y - 3.5, width=7, height=7, fill=_colour(name))
    return tag("path", d=f"M{x:.1f} {y - 4.5:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5z", fill=_colour(name))


def _colour(name: str) -> str:
    return MODEL if name == "model" else BASELINES.get(name, OTHER)


def _scale(metric: MetricReport) -> tuple[float, float]:
    """0 to 1 where all values lie there and 1 is best, otherwise from the lowest to the highest value shown."""
    shown = [estimate for estimate in (metric, *metric.baselines.values()) if estimate.value is not None]
    values = [
        value for estimate in shown for value in (estimate.value, *(estimate.interval or ())) if value is not None
    ]
    low, high = min([0.0, *values]), max(values)
    return (low, 1.0) if metric.greater_is_better and high <= 1 else (low, high if high > low else low + 1)


def _across(value: float, low: float, high: float, width: float) -> float:
    return 7 + (value - low) / (high - low) * (width - 14)
