"""The machine that the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("dagster", "mlflow", "polars", "deltalake", "pandera", "scikit-learn")


def machine() -> list[str]:
    """Processor, memory, Python and libraries, one sentence each."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return [
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory_gib():.0f} GiB memory",
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        libraries,
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
