"""Real webservers before one small code location: Dagster's own, ``mlops ui``, and ``mlops ui`` with roles."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from mlops_assets.resources.instance import prepare_instance
from mlops_assets.settings import Settings

CODE = """
import dagster as dg
from mlops_assets.definitions import resources
from mlops_assets.settings import Settings

def stage(name):
    return dg.asset(key=["wine", name], group_name="wine")(lambda: None)

def check(name):
    return dg.asset_check(asset=["wine", name], name="seen")(lambda: dg.AssetCheckResult(passed=True))

stages = [stage(name) for name in ("model", "evaluation", "registered_version", "champion")]
checks = [check("evaluation"), check("champion")]
jobs = [dg.define_asset_job("wine_training", stages)]
defs = dg.Definitions(stages, asset_checks=checks, jobs=jobs, resources=resources(Settings()))
"""
LAUNCH = """mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
    __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RUNS = "{ runsOrError { ... on Runs { results { runId } } } }"
TOKENS = {"viewer": "viewer-0123456789abcdef", "trainer": "trainer-0123456789abcdef", "admin": "admin-0123456789abcdef"}
ROLES = {"viewer": ["*"], "promoter": ["group:judges"], "trainer": ["ada@example.com"]}
ASKING = {
    "MLOPS_UI_TOKENS": json.dumps(TOKENS),
    "MLOPS_UI_PROXIES": '["127.0.0.1"]',
    "MLOPS_UI_ROLES": json.dumps(ROLES),
}


@dataclass(frozen=True)
class Web:
    """One webserver on loopback."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, body: Any, **headers: str) -> requests.Response:
        """POST to ``/graphql``; a ``body`` of bytes as it is, any other as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        return requests.post(f"{self.url}/graphql", data=raw, headers=sent, timeout=30, allow_redirects=False)

    def launch(self, run: dict[str, Any], **headers: str) -> requests.Response:
        return self.post({"query": LAUNCH, "variables": {"run": run}}, **headers)

    def runs(self, **headers: str) -> int:
        """How many runs the instance has."""
        return len(self.post({"query": RUNS}, **headers).json()["data"]["runsOrError"]["results"])


def training(**changes: Any) -> dict[str, Any]:
    """Parameters that launch the training job; ``selector`` is changed, not replaced."""
    selector = {"repositoryLocationName": "wine", "repositoryName": "__repository__", "jobName": "wine_training"}
    return {"runConfigData": "{}", **changes, "selector": {**selector, **changes.get("selector", {})}}


def selecting(*stages: str, checks: tuple[str, ...] = ()) -> dict[str, Any]:
    """Parameters that launch assets by hand, and of each of ``checks`` the check ``seen``, as the UI sends them."""
    selected = [{"path": ["wine", stage]} for stage in stages]
    seen = [{"assetKey": {"path": ["wine", stage]}, "name": "seen"} for stage in checks]
    return training(selector={"assetSelection": selected, "assetCheckSelection": seen}, mode="default")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(home: Path, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
    """A process that can be interrupted, with its log in ``home``."""
    with (home / f"{command[0]}-{free_port()}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "DAGSTER_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    """Interrupt all, and wait until they have ended."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def doors(home: Path, *kinds: str) -> Iterator[dict[str, Web]]:
    """Webservers before one instance and one code server, ready: any of ``bare``, ``guarded`` and ``asking``.

    ``bare`` is Dagster's own, ``guarded`` is ``mlops ui``, ``asking`` the same with tokens and with loopback as the
    address of a trusted proxy.
    """
    home.mkdir()
    (home / "wine.py").write_text(CODE)
    grpc, workspace = str(free_port()), str(home / "workspace.yaml")
    location = {"grpc_server": {"port": int(grpc), "location_name": "wine"}}
    Path(workspace).write_text(json.dumps({"load_from": [location]}))
    guard = ("mlops_assets", "ui", "--no-daemon", "--workspace", workspace)
    commands = {"bare": ("dagster_webserver", "-w", workspace), "guarded": guard, "asking": guard}
    opened = {kind: Web(free_port()) for kind in kinds}
    _prepare(home)
    processes = [started(home, "dagster", "api", "grpc", "--python-file", str(home / "wine.py"), "--port", grpc)]
    try:
        for kind, web in opened.items():
            asking = ASKING if kind == "asking" else {}
            processes.append(started(home, *commands[kind], "--port", str(web.port), **asking))
        _await([web.port for web in opened.values()])
        yield opened
    finally:
        stop(processes)


def _prepare(home: Path) -> None:
    # Of processes that open a fresh instance at once, Dagster's sqlite migrations let one through.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        prepare_instance(Settings())
        with dg.DagsterInstance.get() as instance:
            assert instance.get_runs_count() == 0


def _await(ports: list[int]) -> None:
    last = time.monotonic() + 90
    while not all(map(_answers, ports)):
        if time.monotonic() > last:
            raise TimeoutError(f"no answer on {ports}")
        time.sleep(0.3)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/server_info", timeout=2).ok
    except requests.RequestException:
        return False
