"""A new system: a declaration drafted from a file, written where there is none, and explained."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mlops_assets.declaration.base import Name, Task
from mlops_assets.declaration.reading import declared_systems, read_declaration, require_unique
from mlops_assets.drafting.declaration_page import page
from mlops_assets.drafting.draft import Draft, draft
from mlops_assets.drafting.notes import notes
from mlops_assets.drafting.survey import survey
from mlops_assets.errors import SpecError
from mlops_assets.settings import Settings

EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


@dataclass(frozen=True)
class Beginning:
    """A drafted system that exists nowhere yet."""

    draft: Draft
    text: str
    """Its ``defs.yaml``."""
    path: Path
    """Where that belongs."""

    def write(self) -> None:
        """Write the declaration into a new folder.

        Raises:
            SpecError: if the folder exists; nothing is ever overwritten.
        """
        try:
            self.path.parent.mkdir(parents=True)
        except FileExistsError:
            raise _exists(self.path.parent) from None
        self.path.write_text(self.text, encoding="utf-8")

    def story(self) -> dict[str, Any]:
        """What was guessed, and why, as data."""
        made = self.draft
        return {
            "system": made.spec.name,
            "task": made.target.task,
            "target": made.target.name,
            "rows": made.survey.rows,
            "looked_at": made.survey.sample.height,
            "columns": [
                {"column": column.name, "role": column.role, "declared": column.declared, "why": column.why}
                for column in made.columns
            ],
            "notes": notes(made),
            "quick": None if made.quick is None else vars(made.quick),
            "declaration": str(self.path),
            "text": self.text,
        }

    def table(self) -> list[tuple[str, str, str]]:
        """Column, declared as, why."""
        return [(column.name, column.label, column.why) for column in self.draft.columns]


def begin(name: str, data: str, target: str, task: Task | None, folder: Path, known: list[Path]) -> Beginning:
    """Draft the system ``name`` from the file ``data``, for ``folder``; ``known`` are folders that hold systems.

    Raises:
        SpecError: if the name is no name or is taken, or nothing can be learned of ``target``.
        LandingError: if ``data`` cannot be read.
    """
    path = folder / name / "defs.yaml"
    _require_free(name, path, known)
    made = draft(name, survey(data, Settings().landing_limits), target, task, owner())
    text = page(made)
    _require_same(text, made)
    return Beginning(made, text, path)


def owner() -> str | None:
    """The e-mail address that git knows, None where there is none."""
    try:
        answer = subprocess.run(
            ["git", "config", "user.email"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    address = answer.stdout.strip()
    return address if EMAIL.match(address) else None


def _require_free(name: str, path: Path, known: list[Path]) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise SpecError(
            f"{name!r} is no name of a system. Remedy: lower-case letters, digits and underscores, a letter first"
        ) from error
    if path.parent.exists():
        raise _exists(path.parent)
    for other in declared_systems(known):
        if other.parent.name == name:
            raise SpecError(f"the system {name!r} is declared already, in {other}. Remedy: choose another name")
    require_unique(name, path, known, lambda _: "mlops new")


def _exists(folder: Path) -> SpecError:
    return SpecError(f"{str(folder)!r} exists, and nothing is overwritten. Remedy: choose another name or --folder")


def _require_same(text: str, made: Draft) -> None:
    """Show that the text says what was drafted, before anything is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "defs.yaml"
        path.write_text(text, encoding="utf-8")
        if read_declaration(path) != made.spec:
            raise SpecError(f"the drafted declaration of {made.spec.name!r} reads back as another one:\n{text}")
