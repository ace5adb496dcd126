"""HTML: a report as one self-contained page without scripts or remote assets."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.report.summary import groups_of, reason_in_short, sentence, unexamined
from mlops_assets.features.version import PARTS
from mlops_assets.metrics.formatting import figure, interval_text

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

T = TypeVar("T")

VERDICTS = {
    "passed": "Passed",
    "failed": "Failed",
    "not evaluated": "Not evaluated",
}


def render(report: Report, digest: str | None = None) -> str:
    """The report for people: the verdict first, then what it rests on; every value of the data is escaped.

    ``digest`` is that of the stored bytes, where the report was read from them.
    """
    from mlops_assets.evaluation.report.plots.diagnosis_plots import diagnosis_plots
    from mlops_assets.evaluation.report.plots.model_plots import plots

    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            digest=digest or report.digest,
            title=report.system.replace("_", " ").capitalize(),
            headline=report.metric(report.primary),
            sentence=sentence(report),
            verdict=VERDICTS[report.outcome],
            groups=groups_of(report),
            unexamined=unexamined(report),
            sections=_sections(report),
            parts=[(part, report.rows[part]) for part in PARTS if part in report.rows],
            plots=dict(plots(report)),
            diagnosis_plots={diagnosis.name: diagnosis_plots(diagnosis, report) for diagnosis in report.diagnoses},
            meanings={diagnosis.name: _meanings(diagnosis.name) for diagnosis in report.diagnoses},
        )
    )


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from mlops_assets.evaluation.report.plots.metric_strips import metric_strip

    environment = Environment(
        loader=PackageLoader("mlops_assets", "evaluation/report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unturned,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        figure=figure,
        interval=interval_text,
        inline=_inline,
        thinned=_thinned,
        breakable=_breakable,
        reason_in_short=reason_in_short,
    )
    environment.globals.update(strip=metric_strip)
    return environment


def _sections(report: Report) -> list[tuple[str, str]]:
    """Anchor and title of every section that the page has."""
    known = [
        ("gates", "Gates", True),
        ("metrics", "Metrics", True),
        ("classes", "Classes", report.confusion),
        ("curves", "Curves", report.roc),
        ("errors", "Errors", report.points),
        ("importance", "What the model relies on", True),
        *((f"diagnosis-{diagnosis.name}", diagnosis.title, True) for diagnosis in report.diagnoses),
        ("basis", "What this rests on", True),
    ]
    return [(anchor, title) for anchor, title, present in known if present]


def _meanings(diagnosis: str) -> dict[str, str]:
    """What each measure of a diagnosis says, by its name."""
    info = DIAGNOSES.get(diagnosis)
    return {name: measure.meaning for name, measure in info.measures.items()} if info else {}


def _unturned(value: object) -> object:
    from mlops_assets.evaluation.report.plots.svg import unturned

    return unturned(value) if isinstance(value, str) else value


def _inline(svg: str) -> "Markup":
    """Put an SVG of ours, whose texts are escaped already, into the page."""
    from markupsafe import Markup

    return Markup(svg)


def _breakable(name: str) -> "Markup":
    """A long name that may break after an underscore or before a capital."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", name))


def _thinned(rows: Iterable[T], most: int) -> list[T]:
    """At most about ``most`` of ``rows``, evenly spaced, with the first and the last."""
    listed = list(rows)
    step = max(1, -(-len(listed) // most))
    return [*listed[::step], *(listed[-1:] if (len(listed) - 1) % step else [])]
