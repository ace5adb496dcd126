"""One ingestion in a process of its own: ``python -m benchmarks.ingest_once HOME FILE SMALL_FILE``."""

import json
import sys
from pathlib import Path

from benchmarks.figure import seconds
from benchmarks.process import peak_bytes
from benchmarks.wide import wide_system
from mlops_assets.dataset.ingestion import Ingestion, ingest
from mlops_assets.dataset.landing import land
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.storage.storage import Storage


def main(home: str, file: str, small: str) -> None:
    """Land and ingest ``file`` after ``small`` has warmed up the libraries, and print seconds and peak memory."""
    storage = Storage.local(Path(home))
    _brought_in(storage, wide_system("warm"), small)
    found: list[Ingestion] = []
    elapsed = seconds(lambda: found.append(_brought_in(storage, wide_system(), file)))
    version = found[0].version
    rows = version.rows if version else 0
    sys.stdout.write(json.dumps({"rows": rows, "seconds": elapsed, "peak_bytes": peak_bytes()}) + "\n")


def _brought_in(storage: Storage, spec: SystemSpec, file: str) -> Ingestion:
    land(storage, spec.name, file)
    return ingest(storage, spec)


if __name__ == "__main__":
    main(*sys.argv[1:])
