"""Layout: tables and times as the commands print them."""

from collections.abc import Iterable, Mapping

from rich import box
from rich.markup import escape
from rich.table import Table

from mlops_assets.cli.app import console, tell


def show(story: Mapping[str, object], as_json: bool, shown: Table | None, otherwise: str = "") -> None:
    """Print ``story`` as JSON, or ``shown``, or ``otherwise`` where there is nothing to show."""
    if as_json or shown is None:
        tell(story, as_json, otherwise)
    else:
        console.print(shown)


def facts(lines: Iterable[tuple[str, str]], title: str = "") -> Table:
    """Names with what is to be said of each."""
    made = Table(box=None, show_header=False, title=escape(title) or None, title_justify="left", title_style="bold")
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in lines:
        made.add_row(name, escape(value))
    return made


def table(*columns: str) -> Table:
    """An empty table; what cells hold of the data must be escaped."""
    made = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def time(at: str) -> str:
    """To the second, as people read it."""
    return at[:19].replace("T", " ")
