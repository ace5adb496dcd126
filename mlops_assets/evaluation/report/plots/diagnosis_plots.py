"""Diagnosis plots: each diagnosis of a report drawn by the function that its record names."""

from mlops_assets.declaration.base import load_object
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.evaluation.report.report import Report


def diagnosis_plots(diagnosis: Diagnosis, report: Report) -> list[tuple[str, str]]:
    """Title and SVG of every plot that the diagnosis has numbers for."""
    info = DIAGNOSES.get(diagnosis.name)
    if info is None or info.plots is None:
        return []
    draw = load_object(info.plots, f"diagnosis {info.name!r}")
    return list(draw(diagnosis, report.gates))
