"""Commands in the life of a version: approve, decline, rollback, archive, aliases."""

from typing import Annotated

import typer
from rich.markup import escape

from mlops_assets.cli.app import Json, System, console, opened, session_of, tell
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.storage.ledger_entry import Entry

Version = Annotated[int, typer.Argument(help="Number of a registered version.", show_default=False, min=1)]


def _given(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("say why: the ledger keeps it")
    return reason


Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.", show_default=False, callback=_given)]


def approve(
    system: System,
    version: Version,
    reason: Reason,
    override: Annotated[
        bool, typer.Option(help="Although the comparison speaks against it. No option goes round a gate.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a registered version champion, in your name; exit 3 if that is refused."""
    from mlops_assets.registry.approval import approve as approved

    with console.status(f"Reading the evidence of {system} version {version} …"):
        entry = approved(session_of(system), version, reason, override)
    _tell_champion(entry, as_json)


def decline(system: System, version: Version, reason: Reason, as_json: Json = False) -> None:
    """Say no to a version that waits for approval; the champion stays."""
    from mlops_assets.registry.approval import decline as declined

    entry = declined(session_of(system), version, reason)
    tell(vars(entry), as_json, f"{system} version {version} is declined by {entry.actor}; the champion stays.")


def rollback(
    system: System,
    reason: Reason,
    to: Annotated[int | None, typer.Option(help="An earlier champion; by default the one before.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Put an earlier champion back, in one step; exit 1 if its artefact or report has changed, 3 if refused."""
    from mlops_assets.registry.rollback import roll_back

    with console.status(f"Rolling {system} back …"):
        entry = roll_back(session_of(system), reason, to)
    _tell_champion(entry, as_json)


def archive(
    system: System,
    keep: Annotated[int | None, typer.Option(help="Newest versions to leave; by default registry.keep.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which versions.")] = False,
    as_json: Json = False,
) -> None:
    """Mark old versions as archived; never one that an alias carries. Their evidence stays."""
    from mlops_assets.registry.archive import archive as archived
    from mlops_assets.registry.archive import surplus

    session = session_of(system)
    keep = keep or session.spec.registry.keep
    chosen = surplus(session, keep) if dry_run else archived(session, keep)
    numbers = [version.version for version in chosen]
    listed = ", ".join(map(str, numbers)) or "none"
    tell(
        {"system": system, "archived": numbers, "dry_run": dry_run},
        as_json,
        f"{'Would archive' if dry_run else 'Archived'} versions of {system}: {listed}.",
    )


def aliases(
    system: System,
    restore: Annotated[bool, typer.Option("--restore", help="Move every alias to where the ledger put it.")] = False,
    as_json: Json = False,
) -> None:
    """Show the registry's aliases; exit 1 if a hand has moved one."""
    from mlops_assets.registry.reconciliation import put_back, reconcile, verdict

    session = session_of(system)
    moved = reconcile(session)
    if restore and moved:
        put_back(session, moved)
    seen = verdict(session, [] if restore else moved)
    where = session.registry.aliases()
    if as_json:
        tell(
            {"system": system, "aliases": where, "ok": seen.passed, "astray": [vars(alias) for alias in moved]}, as_json
        )
    else:
        for alias, version in sorted(where.items()):
            console.print(f"{escape(alias)}: version {version}")
        console.print(f"{'[green]✓[/]' if seen.passed else '[red]✗[/]'} {escape(seen.reason)}", soft_wrap=True)
    if not seen.passed:
        raise typer.Exit(ExitCode.ERROR)


def _tell_champion(entry: Entry, as_json: bool) -> None:
    before = f", after version {entry.previous}" if entry.previous else ""
    text = f"{entry.system} version {entry.version} is champion (generation {entry.generation}{before}): {entry.reason}"
    missed = _announced(entry)
    tell({**vars(entry), "dagster": missed or "shows it"}, as_json, f"{text}. {missed}" if missed else text)


def _announced(entry: Entry) -> str:
    from mlops_assets.automation.announcement import announce

    return announce(*opened(entry.system), entry)
