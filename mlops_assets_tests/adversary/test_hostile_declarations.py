"""Declarations that say one thing twice, or little that becomes much: refused at both doors, with file and line."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mlops_assets.component import Attributes, MLSystem
from mlops_assets.declaration.plain_yaml import MOST_BYTES
from mlops_assets.declaration.reading import read_declaration
from mlops_assets.errors import SpecError
from mlops_assets_tests.declaration.test_reading import MINIMAL, declared

REPOSITORY = Path(__file__).parents[2]
LAUGHS = ["  x0: &x0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"]
LAUGHS += [f"  x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]\n" for level in range(1, 30)]
HOSTILE = {
    "a key twice": ("  task: regression\n", 13, "duplicate key 'task', first in line 4"),
    "a key twice, spelt otherwise": ('  "ta\\x73k": regression\n', 13, "duplicate key 'task', first in line 4"),
    "a key twice far down": ("  model: {params: {a: 1, b: {c: 1, c: 2}}}\n", 13, "duplicate key 'c'"),
    "two numbers that are one key": ("  model: {params: {1: a, 0x1: b}}\n", 13, "duplicate key '0x1'"),
    "a billion laughs": ("".join(LAUGHS), 18, "aliases so far stand for more than 100,000 values"),
    "laughs by merging": (
        "  a: &a {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\n  b: [" + "{<<: *a}, " * 200 + "]\n",
        14,
        "aliases so far stand for more than",
    ),
    "a list that holds itself": ("  description: &a [*a]\n", 13, "stands inside itself"),
    "an alias of nothing": ("  description: *a\n", 13, "alias *a has no anchor"),
    "a Python object": ("  description: !!python/object/apply:os.system [id]\n", 13, "unknown tag"),
    "a tag by another name": ("  description: !<tag:yaml.org,2002:python/name:os.system> x\n", 13, "unknown tag"),
    "a tag of nobody": ("  description: !env SECRET\n", 13, "unknown tag '!env'"),
    "a set": ("  description: !!set {a, b}\n", 13, "unknown tag"),
    "bytes": ("  description: !!binary aGE=\n", 13, "unknown tag"),
    "no number": ("  seed: 0b_\n", 13, "'0b_' is no int"),
    "a number too long": (f"  seed: {'9' * 5000}\n", 13, "is no int"),
    "a value that means another": ("  description: =\n", 13, "put it into quotes"),
    "nested lists": ("  description: " + "[" * 100_000, 13, "nested deeper than the 50 levels"),
    "nested blocks": ("".join(f"{'  ' * (i + 1)}a:\n" for i in range(500)), 62, "nested deeper than the 50 levels"),
    "a list as a key": ("  ? [a]\n  : b\n", 13, "cannot be a key"),
    "a second document": ("---\n" + MINIMAL, 13, "a second document begins here"),
    "a control character": ("  description: a\x01b\n", 13, "is not YAML"),
    "too many values": ("  description: [" + "a," * 300_000 + "]\n", 13, "is longer than the 200,000"),
}
ENCODED = {
    "too many bytes": (MINIMAL.encode() + b"#" * MOST_BYTES, 1, "is larger than the"),
    "another encoding": (MINIMAL.encode() + "  description: größer\n".encode("latin-1"), 13, "is not UTF-8 text"),
    "nothing": (b"", 1, "is empty"),
    "a comment": (b"# later\n", 1, "is empty"),
}


def bytes_of(case: str) -> tuple[bytes, int, str]:
    if case in ENCODED:
        return ENCODED[case]
    extra, line, reason = HOSTILE[case]
    return (MINIMAL + extra).encode(), line, reason


@pytest.mark.parametrize("case", [*HOSTILE, *ENCODED])
def test_a_hostile_declaration_is_refused_with_its_line_within_seconds(tmp_path: Path, case: str):
    raw, line, reason = bytes_of(case)
    path = declared(tmp_path, "")
    path.write_bytes(raw)
    began = time.monotonic()
    with pytest.raises(SpecError) as refused:
        read_declaration(path)
    assert time.monotonic() - began < 10
    assert f"defs.yaml:{line}: " in str(refused.value)
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 600, "what is wrong, not the bomb itself"


def test_a_pipe_in_the_place_of_a_declaration_is_not_waited_for(tmp_path: Path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    os.mkfifo(folder / "defs.yaml")
    with pytest.raises(SpecError, match="is not a file"):
        read_declaration(folder / "defs.yaml")
    read_declaration(declared(tmp_path, MINIMAL, "zebra"), among=[tmp_path])


def test_aliases_and_merges_of_ordinary_size_are_read(tmp_path: Path):
    shared = MINIMAL.replace("size: {type: float, min: 0}", "size: &a {type: float, min: 0}")
    spec = read_declaration(declared(tmp_path, shared + "      width: {<<: *a, max: 9}\n      depth: *a\n"))
    assert (spec.dataset.columns["width"].min, spec.dataset.columns["width"].max) == (0, 9)
    assert spec.dataset.columns["depth"] == spec.dataset.columns["size"]


def test_the_component_refuses_a_key_that_dagster_has_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = declared(tmp_path, MINIMAL + "  task: regression\n")
    context = dg.ComponentTree.for_test().load_context
    here: Any = SimpleNamespace(path=path.parent, resolution_context=context.resolution_context)
    as_dagster_reads_it = Attributes({"name": "tiny", "task": "regression", "dataset": {}})
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(SpecError, match=r"defs\.yaml:13: duplicate key 'task', first in line 4"):
        MLSystem.load(as_dagster_reads_it, here)


LOAD = """
import json
from mlops_assets.definitions import defs
print(json.dumps(sorted(spec.key.to_user_string() for spec in defs.load_fn().resolve_all_asset_specs())))
"""


def test_a_bomb_among_the_shipped_declarations_stops_nobody_else(tmp_path: Path):
    """Dagster reads that folder by itself, and must not be given the file."""
    shutil.copytree(
        REPOSITORY / "mlops_assets", tmp_path / "mlops_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for name, case in {"atiny": "a billion laughs", "tiny": "nested lists"}.items():
        declared(tmp_path / "mlops_assets" / "defs", "", name).write_bytes(bytes_of(case)[0])

    def load(env: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "MLOPS_ENV": env, "DAGSTER_HOME": str(tmp_path)}
        environment.pop("MLOPS_SYSTEMS", None)
        return subprocess.run(
            [sys.executable, "-c", LOAD], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    keys = set(json.loads(load("prod").stdout.splitlines()[-1]))
    assert {"atiny/declaration", "tiny/declaration", "wine_quality/champion", "house_prices/champion"} <= keys
    stopped = load("local")
    assert stopped.returncode != 0
    assert "defs.yaml:18: " in stopped.stderr
