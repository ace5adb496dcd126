"""Commands about registered versions: versions, compare."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.app import Json, System, console, session_of, tell
from mlops_assets.cli.tables import show, table, time

if TYPE_CHECKING:
    from mlops_assets.registry.learner_comparison import Rematch
    from mlops_assets.registry.listing import Listed
    from mlops_assets.registry.version_comparison import Confrontation

Number = Annotated[int, typer.Argument(help="Number of a registered version.", show_default=False, min=1)]


def versions(system: System, as_json: Json = False) -> None:
    """Every registered version with its state, who registered it, and its evidence in short."""
    from mlops_assets.registry.listing import listing

    session = session_of(system)
    found = listing(session)
    lines = table("version", "state", "registered (UTC)", "evidence")
    for one in found:
        others = [escape(alias) for alias in one.aliases if alias != one.state]
        registered = f"{time(one.registered_at)}\nby {escape(one.registered_by)}" if one.registered_at else ""
        lines.add_row(str(one.version), "\n".join([one.state, *others]), registered, escape(_evidence(one)))
    story = {"system": session.system, "versions": [asdict(one) for one in found]}
    show(story, as_json, lines if found else None, f"{session.system} has no registered version yet.")


def compare(
    system: System,
    first: Number,
    second: Number,
    splits: Annotated[
        int, typer.Option(help="Also fit both learners anew on this many random splits; 0: none.", min=0, max=1000)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Two registered versions side by side, and head to head on rows that neither was trained on."""
    from mlops_assets.registry.version_comparison import confront

    session, again = session_of(system), None
    with console.status(f"Comparing versions {first} and {second} …") as status:
        found = confront(session, first, second)
        if splits:
            from mlops_assets.registry.learner_comparison import rematch

            def told(done: int) -> None:
                status.update(f"Fitting both anew: {done} of {splits} splits …")

            again = rematch(session, first, second, splits, told)
    if as_json:
        comparison = found.comparison.model_dump(mode="json") if found.comparison else None
        story = {**vars(found), "lines": [asdict(line) for line in found.lines], "comparison": comparison}
        anew = again and {**vars(again), "difference": asdict(again.difference)}
        tell({**story, "splits": anew, "recommendation": found.recommendation}, as_json)
        return
    console.print(_side_by_side(found))
    console.print("[dim]↑ higher is better, ↓ lower; ◂ the better value.[/]")
    if not found.same_rows:
        console.print("The two reports are on different test rows: compare their values with care.", soft_wrap=True)
    console.print(escape(_head_to_head(found)), soft_wrap=True)
    if again is not None:
        console.print(escape(_over_splits(again)), soft_wrap=True)
    for guard in found.guards:
        console.print(f"[red]✗[/] {escape(guard)}", soft_wrap=True)
    console.print(f"[bold]{escape(found.recommendation)}[/]", soft_wrap=True)


def _over_splits(again: "Rematch") -> str:
    one = again.difference
    return (
        f"Fitted anew over {again.splits} random splits of {again.rows:,} train and validation rows, the newer learner "
        f"differs by {one.value:+.4g} [{one.interval[0]:+.4g}, {one.interval[1]:+.4g}] in {again.metric} "
        f"({one.test}, p = {one.p_value:.3g}); positive is better."
    )


def _evidence(one: "Listed") -> str:
    from mlops_assets.metrics.formatting import figure, interval_text

    if not one.report_digest:
        return "none: it was not registered by this platform"
    gates = ", ".join(f"{count} {outcome}" for outcome, count in one.gates.items()) or "none"
    metric = f"{one.metric} {figure(one.value)} {interval_text(one.interval)}"
    data = f"dataset {one.dataset_version}, model {one.model_digest[:12]}, report {one.report_digest[:12]}"
    return f"{metric}; gates: {gates}\n{data}"


def _side_by_side(found: "Confrontation") -> Table:
    from mlops_assets.metrics.formatting import figure, interval_text

    lines = table("metric", f"version {found.older}", f"version {found.newer}")
    for line in found.lines:
        cells = [f"{figure(v)} {interval_text(i)}" for v, i in zip(line.values, line.intervals, strict=True)]
        marked = [
            f"[green]{escape(cell)} ◂[/]" if line.better == number else escape(cell)
            for number, cell in zip((found.older, found.newer), cells, strict=True)
        ]
        lines.add_row(f"{line.metric} {'↑' if line.greater_is_better else '↓'}", *marked)
    return lines


def _head_to_head(found: "Confrontation") -> str:
    one = found.comparison
    if one is None:
        return f"Not compared head to head: {found.obstacle}."
    p = f", p = {one.p_value:.3g}" if one.p_value is not None else ""
    return (
        f"On {one.rows:,} rows that neither was trained on, by {one.metric}: "
        f"version {found.newer} has {one.challenger:.4g}, version {found.older} has {one.champion:.4g}, "
        f"difference {one.difference:+.4g} "
        f"[{one.interval[0]:+.4g}, {one.interval[1]:+.4g}] ({one.test}{p}), margin {found.margin:g}: {found.standing}."
    )
