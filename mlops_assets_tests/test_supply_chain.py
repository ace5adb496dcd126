"""Supply chain: what is installed is what was locked, whose licence is known, and which no advisory names unheard."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops_assets_tests.conftest import REPOSITORY

RUNNING, DEVELOPING, EXTRAS, TORCH = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-extras.lock",
    "torch.lock",
)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)((?:.*\\\n)*.*)", re.MULTILINE)
ADVISORIES, LICENCES = REPOSITORY / ".ci" / "advisories.py", REPOSITORY / ".ci" / "licences.py"


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Of each distribution the version, and what follows it."""
    return {canonicalize_name(n): (version, rest) for n, version, rest in PIN.findall((REPOSITORY / name).read_text())}


def asked() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for, by the lock that must hold it."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    running, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    lines = {
        RUNNING: [line for line in [*running, *project["build-system"]["requires"]] if not line.startswith("torch")],
        TORCH: [line for line in running if line.startswith("torch")],
        DEVELOPING: extras["dev"],
        EXTRAS: [line for name, own in extras.items() if name != "dev" for line in own],
    }
    return {lock: [Requirement(line) for line in own] for lock, own in lines.items()}


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING, EXTRAS, TORCH])
def test_nothing_that_is_asked_for_is_left_out_of_its_lock(lock: str):
    pins = locked(lock)
    named = {requirement: pins.get(canonicalize_name(requirement.name)) for requirement in asked()[lock]}
    assert [str(r) for r, pin in named.items() if pin is None or not r.specifier.contains(pin[0])] == []


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING, EXTRAS])
def test_no_version_is_locked_without_hashes_or_to_a_place(lock: str):
    pins = locked(lock)
    assert len(pins) > 100
    assert [name for name, (_, rest) in pins.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)] == []
    assert not re.search(r"://|--index|--find-links|--extra|^-e|file:", (REPOSITORY / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", [DEVELOPING, EXTRAS, TORCH])
def test_no_two_locks_say_different_things(lock: str):
    pins, running = locked(lock), locked(RUNNING)
    assert {name: pin for name, pin in pins.items() if name in running and pin != running[name]} == {}
    assert lock == TORCH or running.keys() <= pins.keys()
    beside = locked(DEVELOPING)
    assert {name: pin for name, pin in pins.items() if name in beside and pin[0] != beside[name][0]} == {}


def test_the_constraints_are_the_versions_of_all_locks():
    every = {name: pin[0] for lock in (RUNNING, DEVELOPING, EXTRAS, TORCH) for name, pin in locked(lock).items()}
    assert {name: pin[0] for name, pin in locked("constraints.txt").items()} == every


def test_nothing_is_installed_beside_the_locks():
    made = subprocess.run(["make", "-nB", ".venv/installed-dev"], cwd=REPOSITORY, capture_output=True, text=True)
    installs = [line.partition(" install ")[2] for line in made.stdout.splitlines() if " install " in line]
    assert [re.sub(r"--quiet|--disable-pip-version-check", "", line).split() for line in installs] == [
        ["--no-deps", "--require-hashes", "-r", RUNNING],
        ["-r", TORCH],
        ["--no-deps", "--no-build-isolation", "-e", "."],
        ["--no-deps", "--require-hashes", "-r", DEVELOPING],
    ]


def test_the_locks_leave_no_requirement_open():
    """They are installed without what they require, which they must therefore hold."""
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """A wheel with one empty module."""
    folder.mkdir(exist_ok=True)
    wheel, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    lines = [f"Name: {name}", f"Version: {version}", *filter(None, [requires and f"Requires-Dist: {requires}"])]
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr(f"{name}.py", "")
        files.writestr(f"{info}/METADATA", "\n".join(["Metadata-Version: 2.1", *lines, ""]))
        files.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.writestr(f"{info}/RECORD", "")
    return wheel


def test_a_file_that_is_not_the_locked_one_is_not_installed(tmp_path: Path):
    wheel = make_wheel(tmp_path, "honest", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with zipfile.ZipFile(wheel, "a") as files:
        files.writestr("sitecustomize.py", "print('evil')")
    lock = tmp_path / "honest.lock"
    lock.write_text(f"honest==1.0 --hash=sha256:{digest}\n")
    where = ["--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "into")]
    command = [sys.executable, "-m", "pip", "install", "--require-hashes", *where, "-r", str(lock)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not (tmp_path / "into").exists()


@dataclass(frozen=True)
class Project:
    """A project with an index of its own, whose locks the script of this one writes."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / ".ci").mkdir()
        for name in ("lock.py", "locked.py"):
            shutil.copy(REPOSITORY / ".ci" / name, self.folder / ".ci")
        index = f'no-index = true\nfind-links = ["{self.folder / "index"}"]\n'
        (self.folder / "uv.toml").write_text(f'cache-dir = "{self.folder / "cache"}"\nno-build = true\n{index}')
        (self.folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["builder"]\n[project]\ndependencies = ["table", "torch"]\n'
            '[project.optional-dependencies]\ndev = ["checker"]\nstore = ["bucket"]\n'
        )

    def publishes(self, version: str, *names: str) -> None:
        for name in names:
            make_wheel(self.folder / "index", name, version, "symbols" if name == "torch" else "")

    def locks(self, *upgrade: str) -> dict[str, str]:
        """The versions that are locked when the script has ended."""
        environment = {**os.environ, "PATH": str(Path(sys.executable).parent), "UV_OFFLINE": "1"}
        command = [sys.executable, str(self.folder / ".ci" / "lock.py"), *upgrade]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert ended.returncode == 0, ended.stderr
        return dict(
            line.split("==") for line in (self.folder / "constraints.txt").read_text().splitlines() if "==" in line
        )


def test_the_locks_keep_every_version_but_those_that_are_to_be_newer(tmp_path: Path):
    project, names = Project(tmp_path), ("builder", "table", "torch", "symbols", "checker", "bucket")
    project.publishes("1.0", *names)
    old = dict.fromkeys(names, "1.0")
    assert project.locks() == old
    project.publishes("2.0", *names)
    assert project.locks() == old
    assert project.locks("table") == {**old, "table": "2.0"}
    assert project.locks("--all") == dict.fromkeys(names, "2.0")
    assert "torch" not in (tmp_path / RUNNING).read_text()
    assert (tmp_path / EXTRAS).read_text().count("--hash=sha256:") == 3


class AdvisoryService(ThreadingHTTPServer):
    """As OSV answers; it knows what it was given."""

    def __init__(self, known: dict[str, str], answer: bytes | None, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.known, self.answer, self.asked = known, answer, list[str]()
        self.status = status
        """How it answers about what it does not know."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class _Answers(BaseHTTPRequestHandler):
    server: AdvisoryService  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.server.asked.append(name)
        vulnerable = [self._advisory(name, self.server.known[name])] if name in self.server.known else []
        body = self.server.answer or json.dumps({"vulns": vulnerable} if vulnerable else {}).encode()
        self.send_response(200 if vulnerable else self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _advisory(self, name: str, number: str) -> dict[str, Any]:
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}]
        return {
            "id": number,
            "aliases": [f"CVE-of-{name}"],
            "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}],
        }

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def service(known: dict[str, str], answer: bytes | None = None, status: int = 200) -> Iterator[AdvisoryService]:
    with AdvisoryService({"jinja2": "GHSA-jinja", **known}, answer, status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def look_up(url: str, lock: Path, *options: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": os.pathsep.join(filter(None, [path, str(Path(sys.executable).parent)]))}
    command = [sys.executable, str(ADVISORIES), "--osv-url", url, *options, str(lock)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "some.lock"
    path.write_text(
        "numpy==2.4.6 \\\n    --hash=sha256:00\npandas==2.3.3 ; sys_platform != 'plan9' \\\n    --hash=sha256:00\n"
    )
    return path


def test_every_locked_version_is_looked_up_for_any_system(lock: Path):
    with lock.open("a") as more:
        more.write("numpy==2.2.6 ; python_full_version < '3.11' \\\n    --hash=sha256:00\n")
    with service({}) as server:
        ended = look_up(server.url, lock)
    assert (ended.returncode, ended.stdout) == (0, "3 versions looked up, 0 advisories, 0 open\n"), ended.stderr
    assert sorted(server.asked) == ["jinja2", "numpy", "numpy", "pandas"]


@pytest.mark.parametrize(("days", "code"), [(None, 1), (30, 0), (-1, 1)])
def test_no_known_advisory_passes_unless_it_is_accepted_for_a_time(lock: Path, tmp_path: Path, days: int | None, code):
    page = tmp_path / "accepted.toml"
    if days is not None:
        until = (datetime.now(UTC) + timedelta(days=days)).date()
        page.write_text(f'[[accepted]]\nid = "CVE-of-numpy"\nreason = "not called"\nuntil = {until}\n')
    with service({"numpy": "GHSA-1"}) as server:
        ended = look_up(server.url, lock, "--accepted", str(page))
    assert ended.returncode == code, ended.stderr
    assert (
        "numpy 2.4.6: CVE-of-numpy, GHSA-1. Remedy: make lock UPGRADE=numpy (fixed in 9.9)" in ended.stdout
    ) is bool(code)
    assert ("which is over" in ended.stdout) is (days == -1)


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (b"{}", 200, "knows no advisory about jinja2 2.4.1"),
        (b"<html>a mirror</html>", 200, "and no answer"),
        (None, 404, "and no answer"),
        (None, 0, "and no answer"),
    ],
    ids=["one that knows nothing", "a page", "one that knows some", "nobody"],
)
def test_no_service_that_does_not_know_is_taken_for_one_that_found_nothing(
    lock: Path, answer: bytes | None, status: int, says: str
):
    with service({}, answer, status) as server:
        url = server.url if status else "http://127.0.0.1:9/v1/query"
        ended = look_up(url, lock)
    assert (ended.returncode, says in ended.stderr) == (4, True), ended.stderr


@pytest.mark.parametrize(
    ("dependencies", "says"),
    [
        (
            [
                {"name": "numpy", "skip_reason": "Dependency not found on PyPI"},
                {"name": "pandas", "version": "2.3.3", "vulns": []},
            ],
            "pip-audit skipped 1 of 2: numpy (Dependency not found on PyPI)",
        ),
        ([{"name": "pandas", "version": "2.3.3", "vulns": []}], "did not answer about 1 of 2: numpy 2.4.6"),
    ],
)
def test_no_version_that_was_skipped_counts_as_looked_up(lock: Path, tmp_path: Path, dependencies, says: str):
    """As pip-audit ends behind a mirror without the API: with 0, and "No known vulnerabilities found"."""
    known = {"id": "GHSA-1", "aliases": [], "fix_versions": []}
    jinja = [{"name": "jinja2", "version": "2.4.1", "vulns": [known]}]
    audit = tmp_path / "bin" / "pip-audit"
    audit.parent.mkdir()
    audit.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"first = 'jinja2' in open(sys.argv[-1].partition('=')[2]).read()\n"
        f"print(json.dumps({{'dependencies': {jinja!r} if first else {dependencies!r}}}))\n"
    )
    audit.chmod(0o755)
    ended = look_up("http://127.0.0.1:9", lock, path=str(audit.parent))
    assert (ended.returncode, says in ended.stderr) == (4, True), ended.stderr


@pytest.mark.parametrize(
    ("script", "text", "says"),
    [
        (ADVISORIES, "# nothing\n", "some.lock pins nothing"),
        (ADVISORIES, "numpy==2.4.6\npandas>=2 --hash=sha256:00\n", "'pandas>=2 --hash=sha256:00' is no single version"),
        (ADVISORIES, "numpy @ https://example.org/numpy.whl\n", "is no single version"),
        (ADVISORIES, None, "some.lock cannot be read"),
        (LICENCES, "numpy==2.*\n", "is no single version"),
    ],
    ids=["empty", "a range", "a place", "absent", "licences"],
)
def test_no_lock_that_cannot_be_read_passes(tmp_path: Path, script: Path, text: str | None, says: str):
    lock = tmp_path / "some.lock"
    if text is not None:
        lock.write_text(text)
    ended = subprocess.run([sys.executable, str(script), str(lock)], capture_output=True, text=True)
    assert (ended.returncode, says in ended.stderr) == (4, True), ended.stderr


@pytest.mark.parametrize(
    ("entry", "code", "says"),
    [
        ('id = "CVE-1"\nreason = "not called"\nuntil = 2026-01-01', 1, "CVE-1 was accepted until 2026-01-01"),
        ('id = "CVE-1"\nuntil = 2999-01-01', 4, "needs an id, a reason and a day"),
        ('id = "CVE-1"\nreason = "not called"', 4, "needs an id, a reason and a day"),
        ('id = "CVE-1', 4, "cannot be read"),
    ],
    ids=["over", "no reason", "no day", "no TOML"],
)
def test_nothing_is_accepted_for_ever_or_without_a_reason(lock: Path, tmp_path: Path, entry: str, code: int, says: str):
    page = tmp_path / "accepted.toml"
    page.write_text(f"[[accepted]]\n{entry}\n")
    with service({}) as server:
        ended = look_up(server.url, lock, "--accepted", str(page))
    assert (ended.returncode, says in ended.stdout + ended.stderr) == (code, True), ended.stderr


def test_the_bill_of_materials_holds_every_locked_distribution_with_its_hashes(tmp_path: Path):
    command = ["make", "-o", ".venv/installed-dev", "sbom", f"DIST={tmp_path}", "VALIDATE=--no-validate"]
    made = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    bill = json.loads((tmp_path / "sbom.json").read_text())
    names = {each["name"]: each["version"] for each in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert names == {name: pin[0] for lock in (RUNNING, TORCH) for name, pin in locked(lock).items()}
    hashed = {each["name"] for each in bill["components"] if each["externalReferences"][0].get("hashes")}
    assert hashed == locked(RUNNING).keys()


def test_every_locked_licence_is_known(tmp_path: Path):
    listed = subprocess.run([sys.executable, str(LICENCES)], capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"^pandas \S+: BSD", listed.stdout, re.MULTILINE)


def test_a_licence_that_nobody_knows_is_named(tmp_path: Path):
    info = tmp_path / "site" / "silent-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silent\nVersion: 1.0\nLicense: UNKNOWN\n")
    lock = tmp_path / "silent.lock"
    lock.write_text("silent==1.0\nabsent==1.0\nelsewhere==1.0 ; sys_platform == 'plan9'\n")
    environment = {**os.environ, "PYTHONPATH": str(info.parent)}
    command = [sys.executable, str(LICENCES), str(lock)]
    listed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (listed.returncode, "no licence is stated by silent." in listed.stderr) == (1, True)
    lock.write_text("absent==1.0\n")
    listed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (listed.returncode, "not evaluated, as not installed: absent" in listed.stderr) == (4, True)
