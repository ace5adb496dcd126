"""Commands about registered versions: versions, compare."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.app import Json, System, console, session_of, tell
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.cli.tables import show, table, time

if TYPE_CHECKING:
    from mlops_assets.registry.learner_comparison import Rematch
    from mlops_assets.registry.listing import Listed
    from mlops_assets.registry.version_comparison import VersionComparison

Number = Annotated[int, typer.Argument(help="Number of a registered version.", show_default=False, min=1)]


def versions(system: System, as_json: Json = False) -> None:
    """Every registered version with its state, who registered it, and its evidence in short."""
    from mlops_assets.registry.listing import listing

    session = session_of(system)
    registered = listing(session)
    lines = table("version", "state", "registered (UTC)", "evidence")
    for version in registered:
        others = [escape(alias) for alias in version.aliases if alias != version.state]
        by = f"{time(version.registered_at)}\nby {escape(version.registered_by)}" if version.registered_at else ""
        lines.add_row(str(version.version), "\n".join([version.state, *others]), by, escape(_evidence(version)))
    story = {"system": session.system, "versions": [asdict(version) for version in registered]}
    show(story, as_json, lines if registered else None, f"{session.system} has no registered version yet.")


def compare(
    system: System,
    first: Number,
    second: Number,
    splits: Annotated[
        int, typer.Option(help="Also fit both learners anew on this many random splits; 0: none.", min=0, max=1000)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Two versions side by side, and head to head on rows that neither was trained on; exit 4 where that cannot be."""
    from mlops_assets.registry.version_comparison import compare_versions

    session, again = session_of(system), None
    with console.status(f"Comparing versions {first} and {second} …") as status:
        compared = compare_versions(session, first, second)
        if splits:
            from mlops_assets.registry.learner_comparison import rematch

            def progress(done: int) -> None:
                status.update(f"Fitting both anew: {done} of {splits} splits …")

            again = rematch(session, first, second, splits, progress)
    if as_json:
        comparison = compared.comparison.model_dump(mode="json") if compared.comparison else None
        story = {
            **vars(compared),
            "lines": [asdict(line) for line in compared.lines],
            "comparison": comparison,
        }
        anew = again and {**vars(again), "difference": asdict(again.difference)}
        tell({**story, "splits": anew, "recommendation": compared.recommendation}, as_json)
    else:
        _show(compared, again)
    if compared.comparison is None:
        raise typer.Exit(ExitCode.NOT_EVALUATED)


def _show(compared: "VersionComparison", again: "Rematch | None") -> None:
    console.print(_side_by_side(compared))
    console.print("[dim]↑ higher is better, ↓ lower; ◂ the better value.[/]")
    if not compared.same_rows:
        console.print("The two reports are on different test rows: compare their values with care.", soft_wrap=True)
    console.print(escape(_head_to_head(compared)), soft_wrap=True)
    if again is not None:
        console.print(escape(_over_splits(again)), soft_wrap=True)
    for guard in compared.guards:
        console.print(f"[red]✗[/] {escape(guard)}", soft_wrap=True)
    console.print(f"[bold]{escape(compared.recommendation)}[/]", soft_wrap=True)


def _over_splits(again: "Rematch") -> str:
    difference, (low, high) = again.difference, again.difference.interval
    return (
        f"Fitted anew over {again.splits} random splits of {again.rows:,} train and validation rows, the newer learner "
        f"differs by {difference.value:+.4g} [{low:+.4g}, {high:+.4g}] in {again.metric} "
        f"({difference.test}, p = {difference.p_value:.3g}); positive is better."
    )


def _evidence(version: "Listed") -> str:
    from mlops_assets.metrics.formatting import figure, interval_text

    if not version.report_digest:
        return "none: it was not registered by this platform"
    gates = ", ".join(f"{count} {outcome}" for outcome, count in version.gates.items()) or "none"
    metric = f"{version.metric} {figure(version.value)} {interval_text(version.interval)}"
    data = f"dataset {version.dataset_version}, model {version.model_digest[:12]}, report {version.report_digest[:12]}"
    return f"{metric}; gates: {gates}\n{data}"


def _side_by_side(compared: "VersionComparison") -> Table:
    from mlops_assets.metrics.formatting import figure, interval_text

    lines = table("metric", f"version {compared.older}", f"version {compared.newer}")
    for line in compared.lines:
        cells = [
            f"{figure(value)} {interval_text(interval)}"
            for value, interval in zip(line.values, line.intervals, strict=True)
        ]
        marked = [
            f"[green]{escape(cell)} ◂[/]" if line.better == number else escape(cell)
            for number, cell in zip((compared.older, compared.newer), cells, strict=True)
        ]
        lines.add_row(f"{line.metric} {'↑' if line.greater_is_better else '↓'}", *marked)
    return lines


def _head_to_head(compared: "VersionComparison") -> str:
    comparison, older, newer = compared.comparison, compared.older, compared.newer
    if comparison is None:
        return f"Not compared head to head: {compared.obstacle}."
    p = f", p = {comparison.p_value:.3g}" if comparison.p_value is not None else ""
    low, high = comparison.interval
    return (
        f"On {comparison.rows:,} rows that neither was trained on, by {comparison.metric}: "
        f"version {newer} has {comparison.challenger:.4g}, version {older} has {comparison.champion:.4g}, "
        f"difference {comparison.difference:+.4g} [{low:+.4g}, {high:+.4g}] ({comparison.test}{p}), "
        f"margin {compared.margin:g}: {compared.standing}."
    )
