"""Places: where the artefacts may lie that a record names."""

import re
from typing import Annotated

from pydantic import AfterValidator

KNOWN = re.compile(
    r"models:/m-[0-9a-f]{32}"  # a logged model
    r"|models:/[^/?#%]{1,256}/[0-9]{1,9}"  # a registered version
    r"|runs:/[0-9a-f]{32}(/[A-Za-z0-9_][A-Za-z0-9._-]*)+"  # a file of a run
)
"""What MLflow resolves in its own registry: no path, no host, and no bucket that a record could choose."""


def _known(uri: str) -> str:
    if not KNOWN.fullmatch(uri):
        raise ValueError(f"{uri[:200]!r} is no place of an artefact: MLflow's runs:/… and models:/… are")
    return uri


ArtefactUri = Annotated[str, AfterValidator(_known)]
"""MLflow URI of an artefact; MLflow, and nothing in the record, decides where that lies."""
