"""``python -m benchmarks [NAME …] [--write]``: measure, show, and exit 1 where a bound is missed."""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.figure import Benchmark, Measured, measure
from benchmarks.machine import machine
from benchmarks.process import forget_settings

NAMES = [
    "lifecycle",
    "loading",
    "appending",
    "ingesting",
    "contents",
    "ticking",
    "evaluating",
    "covering",
    "assessing",
    "ledger",
]

console = Console()


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(NAMES)}; all by default.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Renew the sections in docs/benchmarks.md.")] = False,
) -> None:
    """Measure the platform's figures."""
    forget_settings()
    chosen = _chosen(names or [])
    console.print("\n".join(machine()), style="dim")
    measured = {}
    for name in chosen:
        benchmark: Benchmark = import_module(f"benchmarks.{name}").BENCHMARK
        measured[name] = _measured(benchmark)
        console.print(_table(measured[name]))
    if write:
        page.write(measured, NAMES)
    if any(figure.ok is False for found in measured.values() for figure in found.figures):
        raise typer.Exit(1)


def _chosen(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: no such benchmark. There are: {', '.join(NAMES)}")
    return [name for name in NAMES if name in names or not names]


def _measured(benchmark: Benchmark) -> Measured:
    with console.status(f"{benchmark.title} …"), TemporaryDirectory() as folder:
        return measure(benchmark, Path(folder))


def _table(found: Measured) -> Table:
    table = Table(*page.COLUMNS, title=found.benchmark.title, title_justify="left", caption=found.noise)
    for figure in found.figures:
        table.add_row(*figure.cells, style="red" if figure.ok is False else "")
    return table


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
