"""The reference pages of docs/, written from the code: declaration keys, settings, metrics, exit codes."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import UnionType
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mlops_assets.cli.exit_code import COMMANDS, MEANINGS, ExitCode
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnosis_catalogue import DIAGNOSES
from mlops_assets.metrics.catalogue import METRICS
from mlops_assets.settings import Settings

HEAD = "<!-- Written by `python -m mlops_assets.cli.reference`; a test keeps it true. -->\n"


def declaration_page() -> str:
    """Every key of a declaration, from its pydantic field."""
    tables = "\n".join(_model_table(model) for model in _models(SystemSpec))
    return f"{HEAD}# Declaration\n\nThe keys below `attributes:` of a `defs.yaml`.\n\n{tables}"


def settings_page() -> str:
    """Every environment variable."""
    fields = [(str(f.validation_alias or f"MLOPS_{name.upper()}"), f) for name, f in Settings.model_fields.items()]
    rows = [f"| `{name}` | {_type(field.annotation)} | {_cell(field.description)} |" for name, field in fields]
    return "\n".join([f"{HEAD}# Settings\n", "| variable | type | meaning |", "|---|---|---|", *rows, ""])


def metrics_page() -> str:
    """Every metric a gate can name."""
    rows = [
        f"| `{name}` | {info.task} | {'higher' if info.greater_is_better else 'lower'} | {info.needs} | {info.title} |"
        for name, info in METRICS.items()
    ]
    head = ["| metric | task | better | computed from | what |", "|---|---|---|---|---|"]
    return "\n".join([f"{HEAD}# Metrics\n", *head, *rows, ""])


def diagnoses_page() -> str:
    """Every diagnosis and the measures a gate can name."""
    tables = []
    for name, info in DIAGNOSES.items():
        where = "in every report" if info.standard else "where declared"
        rows = [f"| `{name}.{key}` | {_cell(measure.meaning)} |" for key, measure in info.measures.items()]
        head = [f"## {info.title}\n", f"`{name}`, {' and '.join(sorted(info.tasks))}, {where}.\n"]
        tables.append("\n".join([*head, "| measure | what |", "|---|---|", *rows, ""]))
    return "\n".join([f"{HEAD}# Diagnoses\n", *tables])


def exit_codes_page() -> str:
    """Every exit code of every command."""
    meanings = [f"| {code:d} | {meaning} |" for code, meaning in MEANINGS.items()]
    given = [code for code in ExitCode if code not in (ExitCode.ERROR, ExitCode.USAGE)]
    rows = [_exit_row(command, codes, given) for command, codes in COMMANDS.items()]
    columns = [f"{code:d} {code.name.lower().replace('_', ' ')}" for code in (*given, ExitCode.ERROR)]
    tables = [
        *("| code | meaning |", "|---|---|", *meanings, ""),
        "`mlops COMMAND` ends with one of these. Any command can end with 1 and 2: 1 also where a name, file, service",
        "or record is missing or wrong.\n",
        *(f"| command | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows, ""),
    ]
    return "\n".join([f"{HEAD}# Exit codes\n", *tables])


def _exit_row(command: str, codes: Mapping[ExitCode, str], given: Sequence[ExitCode]) -> str:
    return f"| `{command}` | {' | '.join(codes.get(code, '') for code in (*given, ExitCode.ERROR))} |"


PAGES = {
    "declaration.md": declaration_page,
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "diagnoses.md": diagnoses_page,
    "exit_codes.md": exit_codes_page,
}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            if inspect.isclass(part) and issubclass(part, BaseModel):
                yield from _models(part)


def _parts(annotation: object) -> Iterator[object]:
    arguments = get_args(annotation)
    yield from (annotation,) if not arguments else ()
    for argument in arguments:
        yield from _parts(argument)


def _model_table(model: type[BaseModel]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "required" if field.default is PydanticUndefined else _default(field.default)
        rows.append(f"| `{name}` | {_type(field.annotation)} | {default} | {_cell(field.description)} |")
    title = model.__name__.removesuffix("Spec")
    head = [f"## {title}\n", f"{inspect.getdoc(model)}\n", "| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return "`" + ", ".join(str(item.model_dump(exclude_defaults=True)) for item in value) + "`"
    return "none" if value is None else f"`{value.value if isinstance(value, Enum) else value}`"


def _type(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin is UnionType:
        return " \\| ".join(_type(part) for part in arguments if part is not type(None))
    if origin in (list, dict):
        return f"{origin.__name__} of {_type(arguments[-1])}"
    if arguments:
        return _type(arguments[0])
    return getattr(annotation, "__name__", str(annotation)).removesuffix("Spec")


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    from pathlib import Path

    folder = Path(__file__).parents[2] / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
