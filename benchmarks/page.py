"""The page in docs/: one section per benchmark, replaced on its own."""

import re
from pathlib import Path

from benchmarks.figure import Measured
from benchmarks.machine import machine

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Measured by `make bench` (one of them: `.venv/bin/python -m benchmarks NAME`; with `--write` it renews its section
here). Every figure is the median; the spread is from the lowest to the highest of its runs. A missed bound makes
the command end with 1. Bounds in seconds and rows per second were set on two cores of an AMD EPYC, where loading
5 systems takes 0.65 s and Parquet comes in at 749,860 rows/s; a slower machine misses some with the same code.

Machine:
"""
COLUMNS = ("figure", "median", "spread", "bound", "")


def write(measured: dict[str, Measured], order: list[str]) -> None:
    """Put what was measured into the page, and keep its other sections where the machine is the same.

    Raises:
        SystemExit: if other sections come from another machine or other libraries.
    """
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    kept = {name: text for name in order if (text := _section_of(page, name)) and name not in measured}
    timed = any(found.benchmark.timed for found in measured.values())
    if kept and timed and not page.startswith(_head()):
        raise SystemExit(f"{PAGE.name} is from another machine or other libraries. Remedy: measure all, without names")
    new = {name: _section(name, found) for name, found in measured.items()}
    sections = [{**kept, **new}[name] for name in order if name in kept or name in new]
    head = _head() if timed or not kept else page.partition("\n<!-- ")[0]
    PAGE.write_text("\n".join([head, *sections]), encoding="utf-8")


def _head() -> str:
    return HEAD + "\n" + "\n".join(f"- {line}" for line in machine()) + "\n"


def _section(name: str, found: Measured) -> str:
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *(figure.cells for figure in found.figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    text = f"{found.benchmark.how}\n\n{table}\n\n{found.noise}"
    return f"<!-- {name} -->\n## {found.benchmark.title} (`{name}`)\n\n{text}\n<!-- /{name} -->\n"


def _section_of(page: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n.*?<!-- /{name} -->\n", page, re.DOTALL)
    return found[0] if found else ""
