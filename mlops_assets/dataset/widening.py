"""Widening: columns that were declared after the dataset table was made."""

from typing import TYPE_CHECKING

from mlops_assets.dataset.commit import add_columns
from mlops_assets.dataset.schema import table_schema
from mlops_assets.dataset.table_state import DatasetState
from mlops_assets.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from mlops_assets.dataset.spec import ColumnSpec


def widen(table: "DeltaTable", uri: str, columns: "dict[str, ColumnSpec]", state: DatasetState) -> bool:
    """Whether declared columns were added to ``table``, in a commit of their own; False where it holds all.

    Raises:
        StorageError: if a column has another type, or a new one must not be empty although rows exist.
    """
    import pyarrow as pa

    stored, declared = pa.schema(table.schema()), table_schema(columns)
    for name in columns:
        if name in stored.names and stored.field(name).type != declared.field(name).type:
            raise StorageError(
                f"{uri!r} holds {name!r} as {stored.field(name).type}, declared is {columns[name].type}. "
                "Remedy: give the column another name, or the system"
            )
    new = [name for name in columns if name not in stored.names]
    if new:
        _refuse_unfillable([name for name in new if not columns[name].nullable], uri, state)
        _add(table, declared, new, state)
    return bool(new)


def _refuse_unfillable(full: list[str], uri: str, state: DatasetState) -> None:
    if full and state.rows:
        raise StorageError(
            f"{uri!r} holds {state.rows} rows without the new columns {full!r}, which must not be empty. "
            "Remedy: declare them nullable, or give the system another name"
        )


def _add(table: "DeltaTable", declared: "pa.Schema", new: list[str], state: DatasetState) -> None:
    from deltalake import Field, Schema

    fields = [
        Field(field.name, field.type, nullable=True)
        for field in Schema.from_arrow(declared).fields
        if field.name in new
    ]
    add_columns(table, fields, state.model_copy(update={"outcome": None, "element": ""}).model_dump_json())
