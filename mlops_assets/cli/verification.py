"""Commands about the evidence of a version: card, verify, sign, ledger verify."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from mlops_assets.cli.app import Json, System, console, fail, session_of, tell
from mlops_assets.cli.exit_code import ExitCode
from mlops_assets.errors import TrackingError
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlops_assets.registry.anchor import Anchors
    from mlops_assets.registry.session import RegistrySession
    from mlops_assets.resources.tracking import MlflowTracking
    from mlops_assets.storage.hash_chain import ChainFinding
    from mlops_assets.storage.storage import Storage

Version = Annotated[int | None, typer.Argument(help="Number of a registered version; by default the champion.", min=1)]
ledger = typer.Typer(no_args_is_help=True, help="The ledger of all systems.")


def card(
    system: System,
    version: Version = None,
    html: Annotated[Path | None, typer.Option(help="Write the card as one HTML file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the card as Markdown.")] = None,
    as_json: Json = False,
) -> None:
    """Write the model card of a version from its evidence; without a file it is printed as Markdown."""
    from mlops_assets.card.card import model_card
    from mlops_assets.card.page import to_html, to_markdown

    session = session_of(system)
    number = version or _champion(session)
    with console.status(f"Reading the evidence of {system} version {number} …"):
        made = model_card(session, number)
    for path, render in ((html, to_html), (markdown, to_markdown)):
        if path is not None:
            path.write_text(render(made), encoding="utf-8")
    if as_json:
        tell(made.model_dump(mode="json"), as_json)
    elif html is None and markdown is None:
        typer.echo(to_markdown(made))
    else:
        where = " and ".join(str(path) for path in (html, markdown) if path is not None)
        waiting = f"{made.missing} texts that a person must write are marked" if made.missing else "no text is missing"
        tell({}, as_json, f"The card of {system} version {number} is in {where}; {waiting}.")


def verify(system: System, version: Version = None, as_json: Json = False) -> None:
    """Check that everything a version rests on is still what was recorded; exit 1 if anything is not.

    Exit 4 if all that could be looked at holds, but something could not.
    """
    from mlops_assets.audit.verification import verify as verified

    session = session_of(system)
    number = version or _champion(session)
    findings = []
    with console.status(f"Verifying {system} version {number} …"):
        for finding in verified(session, number, Settings().signing_public_key):
            findings.append(finding)
            if not as_json:
                _say(finding.ok, finding.name, finding.message, finding.evaluated)
    ok = all(finding.ok for finding in findings)
    if as_json:
        looked = [vars(finding) for finding in findings]
        tell({"system": system, "version": number, "ok": ok, "findings": looked}, as_json)
    if not ok:
        wrong = any(finding.evaluated for finding in findings if not finding.ok)
        raise typer.Exit(ExitCode.ERROR if wrong else ExitCode.NOT_EVALUATED)


def sign(
    system: System,
    version: Annotated[int, typer.Argument(help="Number of a registered version.", show_default=False, min=1)],
    key: Annotated[Path, typer.Option(help="Private elliptic key, PEM.", show_default=False, exists=True)],
    as_json: Json = False,
) -> None:
    """Sign the files of a version by OpenSSF Model Signing; the signature lies with its training run in MLflow."""
    from mlops_assets.registry.signature import sign as signed

    session = session_of(system)
    place = signed(session, session.version(version), key)
    text = f"{system} version {version} is signed: {place}. Verify: MLOPS_SIGNING_PUBLIC_KEY=… mlops verify {system}"
    tell({"system": system, "version": version, "signature": place}, as_json, text)


@ledger.command(name="verify")
def verify_ledger(
    system: Annotated[str | None, typer.Argument(help="One system; by default all.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Recompute the hash of every entry and record; exit 1 if one was changed, added or taken away.

    Exit 4 where the head that was noted outside the ledger cannot be seen: entries off the end are missed by it alone.
    """
    from mlops_assets.storage.hash_chain import verify as chained
    from mlops_assets.storage.ledger import Ledger

    settings = Settings()
    storage = settings.open_storage()
    written = Ledger(storage.records)
    systems = written.systems()
    if system is not None and system not in systems:
        fail(f"The ledger has no entry of {system!r}. Systems: {', '.join(systems) or 'none'}")
    tracking, silent = _answering(settings)
    chosen = [system] if system is not None else systems
    anchors = {name: _noted(tracking, storage, name) for name in chosen}
    chains = [chained(name, written.chain(name), anchors[name]) for name in chosen]
    findings = [replace(chain, broken=chain.broken or storage.records.fault(chain.system)) for chain in chains]
    ok = all(finding.ok for finding in findings)
    anchored = tracking is not None and all(anchors.values())
    if as_json:
        described = [
            {**vars(finding), "ok": finding.ok, "anchors": list(anchors[finding.system])} for finding in findings
        ]
        tell({"ok": ok and anchored, "anchored": anchored, "note": silent, "chains": described}, as_json)
    else:
        _tell_chains(findings, anchors, silent)
    if not ok:
        raise typer.Exit(ExitCode.ERROR)
    if not anchored:
        raise typer.Exit(ExitCode.NOT_EVALUATED)


@ledger.command(name="accept")
def accept_ledger(
    system: System,
    reason: Annotated[str, typer.Option(help="What happened to it, and why it may be gone on from.")],
    as_json: Json = False,
) -> None:
    """Go on from a ledger that is not the one whose head was noted; that, and who did it, is written into it."""
    entry = session_of(system).accept_ledger(reason)
    text = f"{entry.actor} accepted the ledger of {system} by entry {entry.sequence}: {entry.reason}"
    tell({"system": system, "sequence": entry.sequence, "reason": entry.reason}, as_json, text)


def _champion(session: "RegistrySession") -> int:
    entry = session.ledger.champion(session.system)
    if entry is None or entry.version is None:
        fail(f"{session.system} has no champion. Remedy: name a version, or mlops run {session.system}")
    return entry.version


def _answering(settings: Settings) -> "tuple[MlflowTracking | None, str]":
    """MLflow where it answers, and what cannot be seen where it does not."""
    from mlops_assets.resources.tracking import MlflowTracking

    tracking = MlflowTracking(tracking_uri=settings.mlflow_uri)
    try:
        tracking.ping()
    except TrackingError as error:
        return None, f"Entries taken off the end of a chain would not be seen: {error}"
    return tracking, ""


def _noted(tracking: "MlflowTracking | None", storage: "Storage", system: str) -> "Anchors":
    from mlops_assets.registry.anchor import noted
    from mlops_assets.resources.model_registry import Registry

    return noted(Registry(tracking.client, system), storage) if tracking is not None else {}


def _tell_chains(findings: "Iterable[ChainFinding]", anchors: "Mapping[str, Anchors]", silent: str) -> None:
    if silent:
        console.print(f"[yellow]{escape(silent)}[/]", soft_wrap=True)
    for finding in findings:
        places = " and ".join(anchors[finding.system])
        known = f"as {places} noted" if places else "its head is noted nowhere"
        chain = f"{finding.entries:,} entries, head {finding.head[:12]}, {known}"
        _say(finding.ok and bool(places), finding.system, finding.broken or chain, bool(places) or not finding.ok)
        for remark in (*finding.accepted, *finding.misdated):
            console.print(f"  [yellow]{escape(remark)}[/]", soft_wrap=True)


def _say(ok: bool, name: str, message: str, evaluated: bool = True) -> None:
    sign = "[green]✓[/]" if ok else "[red]✗[/]" if evaluated else "[yellow]?[/]"
    console.print(f"{sign} {escape(name)}: {escape(message)}", soft_wrap=True)
