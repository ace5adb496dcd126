"""The Dagster instance: its configuration written to DAGSTER_HOME from the settings."""

import os
from pathlib import Path

import yaml

from mlops_assets.settings import Settings

TEMPLATE = Path(__file__).with_name("dagster.yaml")


def prepare_instance(settings: Settings) -> Path:
    """Write ``dagster.yaml`` to the home folder if it is not there or not what the settings say; return the folder."""
    text = instance_yaml(settings)
    target = settings.folder / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        settings.folder.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(f".{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    return settings.folder


def instance_yaml(settings: Settings) -> str:
    """The ``dagster.yaml`` beside this module, with PostgreSQL as storage where a URL is set."""
    text = TEMPLATE.read_text(encoding="utf-8")
    if settings.dagster_postgres_url is None:
        return text
    document = yaml.safe_load(text)
    document["storage"] = {"postgres": {"postgres_url": {"env": "MLOPS_DAGSTER_POSTGRES_URL"}}}
    return yaml.safe_dump(document, sort_keys=False)
