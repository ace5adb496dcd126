"""The command that begins a system: new."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.app import Json, console, tell
from mlops_assets.declaration.reading import SHIPPED, read_declaration
from mlops_assets.settings import Settings


def new(  # noqa: PLR0913  a parameter per option of the command
    system: Annotated[str, typer.Argument(help="Name of the new system.", show_default=False)],
    data: Annotated[str, typer.Option(help="CSV, Parquet or JSON Lines file or URL.", show_default=False)],
    target: Annotated[str, typer.Option(help="The column to predict.", show_default=False)],
    task: Annotated[
        Literal["classification", "regression"] | None, typer.Option(help="By default guessed from the target.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of systems to write to; by default the first of MLOPS_SYSTEMS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the declaration; write and land nothing.")] = False,
    no_land: Annotated[
        bool, typer.Option("--no-land", help="Write the declaration, but do not land the file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draft the declaration of a system from a file, say why, and land the file."""
    from mlops_assets.cli.landing_story import landed_story
    from mlops_assets.drafting.new_system import begin

    settings = Settings()
    into = folder or settings.drafts
    with console.status(f"Reading {data} …"):
        draft = begin(system, data, target, task, into, [SHIPPED, *settings.systems, into])
    story = draft.story()
    if dry_run:
        if as_json:
            tell({**story, "written": False}, as_json)
        else:
            sys.stdout.write(draft.text)
        return
    draft.write()
    if not as_json:
        console.print(_table(draft.table(), f"{system}: {story['task']} of {target}, {story['rows']:,} rows"))
        for note in story["notes"]:
            console.print(f"- {escape(note)}", soft_wrap=True)
        console.print(f"Written: {escape(str(draft.path))}", soft_wrap=True)
    if not no_land:
        with console.status(f"Landing into {system} …"):
            story |= landed_story(settings.open_storage(), read_declaration(draft.path), [data], lambda *_: None)
    following = _next(system, data, no_land, into, settings)
    text = f"{story.get('message', '')}\nNext: {following}".strip()
    tell({**story, "written": True, "next": following}, as_json, text)


def _table(lines: list[tuple[str, str, str]], title: str) -> Table:
    table = Table("column", "declared as", "why", title=escape(title), title_justify="left")
    for line in lines:
        table.add_row(*(escape(cell) for cell in line))
    return table


def _next(system: str, data: str, no_land: bool, folder: Path, settings: Settings) -> str:
    """The commands that are left; a folder that the platform does not look into has to be named first."""
    looked_into = {known.absolute() for known in [SHIPPED, *settings.systems]}
    named = "" if folder.absolute() in looked_into else f"export MLOPS_SYSTEMS='[\"{folder.absolute()}\"]' && "
    return named + (f"mlops land {system} {shlex.quote(data)} && " if no_land else "") + f"mlops run {system}"
