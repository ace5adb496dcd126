"""MLSystem: the Dagster component that reads one system's ``defs.yaml``."""

from functools import partial
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, RootModel

from mlops_assets.declaration.plain_yaml import read_plain
from mlops_assets.declaration.reading import line_finder, parse, require_unique
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.settings import Settings
from mlops_assets.system import broken_system, build_system, built


class Attributes(RootModel[dict[str, Any]]):
    """Raw attributes; ``dg`` is shown the schema of SystemSpec, which checks them with file and line."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return SystemSpec.model_json_schema(*args, **kwargs)


class MLSystem(dg.Component):
    """One ML system: datasets, validated features, trained models, evaluation reports, registered versions."""

    def __init__(self, system: SystemSpec | Exception, path: Path) -> None:
        self.system = system
        self.path = path

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return Attributes

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        path = Path(context.path) / "defs.yaml"
        positions = context.resolution_context.source_position_tree
        raw = attributes.root if isinstance(attributes, Attributes) else {}
        settings, line_of = Settings(), line_finder(positions, path)
        try:
            read_plain(path)  # Dagster's own reader keeps the last of two equal keys and says nothing
            spec = parse(raw, line_of, settings.env)
            require_unique(spec.name, path, [path.parents[1], *settings.systems], line_of)
        except Exception as error:
            if settings.strict:
                raise
            return cls(error, path)
        return cls(spec.placed(path), path)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        if isinstance(self.system, Exception):
            return broken_system(self.path.parent.name, self.system)
        return built(self.path.parent.name, partial(build_system, self.system), Settings().strict)
