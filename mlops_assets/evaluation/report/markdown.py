"""Markdown: the report as the Dagster UI shows it."""

import base64

from mlops_assets.evaluation.report.plots.model_plots import plots
from mlops_assets.evaluation.report.report import Report


def metrics_table(report: Report) -> str:
    """Every metric with its interval, beside the baselines."""
    head = "| metric | value | interval | simple baseline | linear baseline |\n|---|---|---|---|---|"
    lines = []
    for metric in report.metrics:
        others = (metric.baselines.get(name) for name in ("simple", "linear"))
        cells = [_number(other.value if other else None) for other in others]
        lines.append(
            f"| {metric.name} | {_number(metric.value)} | {_interval(metric.interval)} | {' | '.join(cells)} |"
        )
    return "\n".join([head, *lines])


def gates_table(report: Report) -> str:
    """Every gate with its verdict and reason."""
    head = "| gate | verdict | reason |\n|---|---|---|"
    return "\n".join([head, *(f"| {g.name} | {g.outcome} | {g.reason} |" for g in report.gates)])


def plot_images(report: Report) -> str:
    """Every plot, as an image in the text itself."""
    images = []
    for title, svg in plots(report):
        data = base64.b64encode(svg.encode()).decode()
        images.append(f"![{title}](data:image/svg+xml;base64,{data})")
    return "\n\n".join(images)


def _number(value: float | None) -> str:
    return "not evaluated" if value is None else f"{value:.4g}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "not evaluated" if interval is None else f"{interval[0]:.4g} … {interval[1]:.4g}"
