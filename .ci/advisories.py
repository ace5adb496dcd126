"""Look every locked version up in a database of advisories; what was not looked up is no pass.

    python .ci/advisories.py [--osv-url URL] [LOCK …]

Exits with 0 where nothing is known, 1 where something is, and 4 where a version was not looked up: skipped by
pip-audit, left out of its answer, or asked of a service that does not even know what is known to be vulnerable.
Accepted advisories stand in .ci/advisories.toml, each with its reason and the day until which it holds.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

HERE = Path(__file__).parent
LOCKS = [HERE.parent / name for name in ("requirements-dev.lock", "requirements-extras.lock", "torch.lock")]
ACCEPTED = HERE / "advisories.toml"
OSV = "https://api.osv.dev/v1/query"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
VULNERABLE = {"jinja2": "2.4.1"}
"""Has had advisories for years: a service that knows none of it knows nothing."""
DONE, FOUND, NOT_EVALUATED = 0, 1, 4

Pins = dict[str, str]


class NotEvaluated(Exception):
    """Something was not looked up."""


@dataclass(frozen=True)
class Finding:
    """An advisory about a locked version."""

    package: str
    version: str
    advisory: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join([self.advisory, *self.aliases])
        return f"{self.package} {self.version}: {names}. Remedy: {self.remedy}, or accept it in {ACCEPTED.name}"

    @property
    def remedy(self) -> str:
        return (
            f"make lock UPGRADE={self.package} (fixed in {', '.join(self.fixed)})" if self.fixed else "another package"
        )


def main(arguments: list[str]) -> int:
    """Say what is known about every pin of the locks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, metavar="LOCK")
    parser.add_argument("--osv-url", default=OSV, help="where an OSV service answers (default: %(default)s)")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="accepted advisories (default: %(default)s)")
    asked = parser.parse_args(arguments)
    try:
        if not looked_up(VULNERABLE, asked.osv_url):
            name, version = next(iter(VULNERABLE.items()))
            raise NotEvaluated(f"{asked.osv_url} knows no advisory about {name} {version}: it is no such service")
        pins = {name: version for lock in asked.locks for name, version in pins_of(lock).items()}
        found = looked_up(pins, asked.osv_url)
    except NotEvaluated as reason:
        print(f"not evaluated: {reason}", file=sys.stderr)
        return NOT_EVALUATED
    return told(found, accepted(asked.accepted), len(pins))


def pins_of(lock: Path) -> Pins:
    """Version by distribution."""
    return dict(PIN.findall(lock.read_text(encoding="utf-8")))


def looked_up(pins: Pins, osv_url: str) -> list[Finding]:
    """What the service knows about the pins, every one of which it was asked about.

    Raises:
        NotEvaluated: if pip-audit skipped one, answered about others, or did not answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("".join(f"{name}=={version}\n" for name, version in pins.items()))
        requirements.flush()
        options = ["--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json", "--desc=off"]
        service = ["--vulnerability-service=osv", f"--osv-url={osv_url}", "--timeout=60"]
        command = ["pip-audit", *options, *service, f"--requirement={requirements.name}"]
        ran = subprocess.run(command, capture_output=True, text=True)
    try:
        answered = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotEvaluated(f"pip-audit ended with {ran.returncode} and no answer: {last}") from error
    return _findings(pins, answered)


def _findings(pins: Pins, answered: list[dict]) -> list[Finding]:
    skipped = [f"{each['name']} ({each['skip_reason']})" for each in answered if "skip_reason" in each]
    if skipped:
        raise NotEvaluated(f"pip-audit skipped {len(skipped)} of {len(pins)}: {'; '.join(skipped)}")
    seen = {(_normal(each["name"]), each["version"]) for each in answered}
    missing = [f"{name} {version}" for name, version in pins.items() if (_normal(name), version) not in seen]
    if missing:
        raise NotEvaluated(f"pip-audit did not answer about {len(missing)} of {len(pins)}: {', '.join(missing)}")
    return [
        Finding(each["name"], each["version"], known["id"], tuple(known["aliases"]), tuple(known["fix_versions"]))
        for each in answered
        for known in each["vulns"]
    ]


def accepted(page: Path) -> dict[str, date]:
    """The day until which each accepted advisory holds, by its name."""
    entries = tomllib.loads(page.read_text(encoding="utf-8")).get("accepted", []) if page.exists() else []
    for entry in entries:
        if not str(entry.get("reason", "")).strip() or not isinstance(entry.get("until"), date):
            raise SystemExit(f"{page.name}: {entry.get('id')!r} needs a reason and a day. Remedy: until = 2027-01-31")
    return {entry["id"]: entry["until"] for entry in entries}


def told(found: list[Finding], accepted_until: dict[str, date], looked_at: int) -> int:
    """Print what was found, and how to end."""
    today = datetime.now(UTC).date()
    open_ones = []
    for finding in found:
        until = max((accepted_until[name] for name in names(finding) if name in accepted_until), default=None)
        if until is None or until < today:
            expired = "" if until is None else f" (accepted until {until}, which is over)"
            open_ones.append(f"{finding}{expired}")
    print("\n".join([*open_ones, f"{looked_at} versions looked up, {len(found)} advisories, {len(open_ones)} open"]))
    return FOUND if open_ones else DONE


def names(finding: Finding) -> tuple[str, ...]:
    """Every name of an advisory."""
    return (finding.advisory, *finding.aliases)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
