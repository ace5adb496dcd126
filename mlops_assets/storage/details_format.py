"""Details of a ledger entry in today's words, also of entries that an earlier release wrote."""

from typing import Any

from mlops_assets.storage.ledger_entry import Entry

RENAMED = {"found": "observed", "told": "message"}
"""Keys of earlier releases: of an alias that a hand has moved, and of a guard."""


def read_details(entry: Entry) -> dict[str, Any]:
    """What was seen, under the keys that are written now; the entry, hashed as it was written, keeps its own."""
    return _renamed(entry.details)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {RENAMED.get(key, key): _renamed(part) for key, part in value.items()}
    return [_renamed(part) for part in value] if isinstance(value, list) else value
