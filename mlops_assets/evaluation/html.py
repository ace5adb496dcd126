"""HTML: a report as one self-contained page without scripts or remote assets."""

import re
from typing import TYPE_CHECKING, Any

from mlops_assets.evaluation.figures import figure, interval_text
from mlops_assets.evaluation.report import Report
from mlops_assets.features.version import PARTS

if TYPE_CHECKING:
    from jinja2 import Environment

VERDICTS = {
    "passed": "Passed",
    "failed": "Failed",
    "not evaluated": "Not evaluated",
}


def render(report: Report) -> str:
    """The report for people: the verdict first, then what it rests on; every value of the data is escaped."""
    from mlops_assets.evaluation.plots import plots

    drawn = dict(plots(report))
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            title=report.system.replace("_", " ").capitalize(),
            headline=report.metric(report.primary),
            sentence=_sentence(report),
            verdict=VERDICTS[report.outcome],
            parts=[(part, report.rows[part]) for part in PARTS if part in report.rows],
            plots=drawn,
        )
    )


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from mlops_assets.evaluation.strips import metric_strip

    environment = Environment(
        loader=PackageLoader("mlops_assets", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        figure=figure, interval=interval_text, inline=_inline, thinned=_thinned, breakable=_breakable
    )
    environment.globals.update(strip=metric_strip)
    return environment


def _inline(svg: str) -> Any:
    """Put an SVG of ours, whose texts are escaped already, into the page."""
    from markupsafe import Markup

    return Markup(svg)


def _breakable(name: str) -> Any:
    """A long name that may break after an underscore or before a capital."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", name))


def _thinned(rows: Any, most: int) -> list[Any]:
    """At most about ``most`` of ``rows``, evenly spaced, with the first and the last."""
    listed = list(rows)
    step = max(1, -(-len(listed) // most))
    return [*listed[::step], *(listed[-1:] if (len(listed) - 1) % step else [])]


def _sentence(report: Report) -> str:
    """The verdict in one sentence."""
    gates = report.gates
    if not gates:
        return "No gates are declared, so nothing stands in the way of registration."
    stopping = [gate for gate in gates if gate.blocks]
    warned = sum(not gate.passed for gate in gates) - len(stopping)
    warnings = f" {warned} warning{'s' if warned != 1 else ''}." if warned else ""
    if not stopping:
        passed = sum(gate.passed for gate in gates)
        return f"{passed} of {len(gates)} gates passed; this model may be registered.{warnings}"
    reasons = "; ".join(gate.reason for gate in stopping[:3])
    return f"This model will not be registered: {reasons}.{warnings}"
