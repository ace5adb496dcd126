"""The Dagster instance: its configuration written to DAGSTER_HOME from the settings, and never over another's."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mlops_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

TEMPLATE = Path(__file__).with_name("dagster.yaml")
MARK = "# Written by mlops from the settings; a change to it is kept. SHA-256 of what follows: "
BEFORE_THE_MARK = {
    "9732feea60bbcce976db70c86e44a79a1b411381d559f316cafe1dfb2b07b2f5",
    "1b2c6746f25b500e94f92fe8ed9000ba361ec468e23552d8c3ff474f7d2de4f8",
}
"""SHA-256 of what releases wrote that did not mark it: with sqlite, and with PostgreSQL."""


@dataclass(frozen=True)
class InstanceFile:
    """The ``dagster.yaml`` of a home, and whether it is the platform's to write."""

    path: Path
    due: str
    """What the settings say it should hold."""

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @property
    def is_foreign(self) -> bool:
        """Whether somebody else wrote it, or changed it since."""
        if not self.exists:
            return False
        text = self.path.read_text(encoding="utf-8")
        first, _, rest = text.partition("\n")
        return first != MARK + _digest(rest) and _digest(text) not in BEFORE_THE_MARK

    @property
    def is_due(self) -> bool:
        """Whether it holds what the settings say."""
        return self.exists and self.path.read_text(encoding="utf-8") == self.due

    def write(self) -> None:
        """Write what is due; a foreign file stays as it is."""
        if self.is_due or self.is_foreign:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.write_text(self.due, encoding="utf-8")
        draft.replace(self.path)


def instance_file(settings: Settings) -> InstanceFile:
    """The ``dagster.yaml`` of these settings, which need not be there yet."""
    return InstanceFile(settings.folder / "dagster.yaml", instance_yaml(settings))


def prepare_instance(settings: Settings) -> Path:
    """Write ``dagster.yaml`` to the home folder, unless somebody else has written one there; return the folder."""
    instance_file(settings).write()
    return settings.folder


@contextmanager
def opened_instance(settings: Settings) -> "Iterator[dg.DagsterInstance]":
    """The instance of these settings, whose home may stand in its configuration as DAGSTER_HOME."""
    import dagster as dg

    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(settings.folder)
    try:
        with dg.DagsterInstance.from_config(str(settings.folder)) as instance:
            yield instance
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def instance_yaml(settings: Settings) -> str:
    """The ``dagster.yaml`` beside this module, with PostgreSQL as storage where a URL is set, under its digest."""
    text = TEMPLATE.read_text(encoding="utf-8")
    if settings.dagster_postgres_url is not None:
        document = yaml.safe_load(text)
        document["storage"] = {"postgres": {"postgres_url": {"env": "MLOPS_DAGSTER_POSTGRES_URL"}}}
        text = yaml.safe_dump(document, sort_keys=False)
    return f"{MARK}{_digest(text)}\n{text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
