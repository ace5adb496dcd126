"""The schema of the dataset table: declared columns in their types, and the platform's own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.dataset.spec import ColumnSpec


def table_schema(columns: "dict[str, ColumnSpec]") -> "pa.Schema":
    """Arrow schema of the rows; the platform's own columns begin with an underscore."""
    import pyarrow as pa

    types = {
        "float": pa.float64(),
        "integer": pa.int64(),
        "string": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us", "UTC"),
    }
    declared = [(name, types[column.type]) for name, column in columns.items()]
    return pa.schema([*declared, ("_batch", pa.string()), ("_row", pa.int64()), ("_hash", pa.int64())])
