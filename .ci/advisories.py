"""Look every locked version up in a database of advisories; what was not looked up is no pass.

    python .ci/advisories.py [--osv-url URL] [LOCK …]

Exits with 0 where nothing is known, 1 where something is, and 4 where a version was not looked up: skipped by
pip-audit, left out of its answer, asked of a service that does not even know what is known to be vulnerable, or
written so that no version can be read. Accepted advisories stand in .ci/advisories.toml, each with its reason and the
day until which it holds; one whose day is over ends with 1, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import zip_longest
from pathlib import Path

from locked import UnreadableLock, pins
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
LOCKS = [HERE.parent / name for name in ("requirements-dev.lock", "requirements-extras.lock", "torch.lock")]
ACCEPTED = HERE / "advisories.toml"
OSV = "https://api.osv.dev/v1/query"
VULNERABLE = ("jinja2", "2.4.1")
"""Has had advisories for years: a service that knows none of it knows nothing."""
DONE, FOUND, NOT_EVALUATED = 0, 1, 4

Locked = set[tuple[str, str]]
"""Names with versions; an older Python or another system may need a version of its own."""


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
        holds_until = accepted(asked.accepted)
        locked = {(pin.name, pin.version) for lock in asked.locks for pin in pins(lock)}
        if not looked_up({VULNERABLE}, asked.osv_url):
            raise NotEvaluated(f"{asked.osv_url} knows no advisory about {' '.join(VULNERABLE)}: it is no such service")
        findings = looked_up(locked, asked.osv_url)
    except (NotEvaluated, UnreadableLock) as reason:
        print(f"not evaluated: {reason}", file=sys.stderr)
        return NOT_EVALUATED
    return report(findings, holds_until, len(locked))


def looked_up(locked: Locked, osv_url: str) -> list[Finding]:
    """What the service knows about the versions, every one of which it was asked about.

    Raises:
        NotEvaluated: if pip-audit skipped one, answered about others, or did not answer.
    """
    by_name: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, version in sorted(locked):
        by_name[name].append((name, version))
    rounds = (set(filter(None, pins)) for pins in zip_longest(*by_name.values()))
    return [finding for pins in rounds for finding in _findings(pins, _answer(pins, osv_url))]


def _answer(locked: Locked, osv_url: str) -> list[dict]:
    """What pip-audit says, which refuses to look up two versions of one distribution."""
    options = ["--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json", "--desc=off"]
    service = ["--vulnerability-service=osv", f"--osv-url={osv_url}", "--timeout=60"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("".join(f"{name}=={version}\n" for name, version in sorted(locked)))
        requirements.flush()
        command = ["pip-audit", *options, *service, f"--requirement={requirements.name}"]
        try:
            ran = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            raise NotEvaluated(f"pip-audit does not run: {error}. Remedy: make .venv/installed-dev") from error
    try:
        return json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotEvaluated(f"pip-audit ended with {ran.returncode} and no answer: {last}") from error


def _findings(locked: Locked, answered: list[dict]) -> list[Finding]:
    skipped = [f"{each['name']} ({each['skip_reason']})" for each in answered if "skip_reason" in each]
    if skipped:
        raise NotEvaluated(f"pip-audit skipped {len(skipped)} of {len(locked)}: {'; '.join(skipped)}")
    missing = locked - {(canonicalize_name(each["name"]), each["version"]) for each in answered}
    if missing:
        named = ", ".join(" ".join(each) for each in sorted(missing))
        raise NotEvaluated(f"pip-audit did not answer about {len(missing)} of {len(locked)}: {named}")
    return [
        Finding(each["name"], each["version"], known["id"], tuple(known["aliases"]), tuple(known["fix_versions"]))
        for each in answered
        for known in each["vulns"]
    ]


def accepted(page: Path) -> dict[str, date]:
    """The day until which each accepted advisory holds, by its name.

    Raises:
        NotEvaluated: if an entry has no name, no reason or no day.
    """
    try:
        entries = tomllib.loads(page.read_text(encoding="utf-8")).get("accepted", []) if page.exists() else []
    except ValueError as error:
        raise NotEvaluated(f"{page.name} cannot be read: {error}. Remedy: the form that its head shows") from error
    for entry in entries:
        named = all(isinstance(entry.get(key), str) and entry[key].strip() for key in ("id", "reason"))
        if not named or type(entry.get("until")) is not date:
            raise NotEvaluated(f"{page.name}: {entry} needs an id, a reason and a day. Remedy: until = 2027-01-31")
    return {entry["id"]: entry["until"] for entry in entries}


def report(findings: list[Finding], holds_until: dict[str, date], looked_at: int) -> int:
    """Print what is known and not accepted, and how to end."""
    today = datetime.now(UTC).date()
    expired = {name: until for name, until in holds_until.items() if until < today}
    open_findings = [each for each in findings if not names(each) & (holds_until.keys() - expired.keys())]
    over = [
        f"{name} was accepted until {until}, which is over. Remedy: another day and its reason, or no such entry"
        for name, until in expired.items()
    ]
    summary = f"{looked_at} versions looked up, {len(findings)} advisories, {len(open_findings)} open"
    print("\n".join([*map(str, open_findings), *over, summary]))
    return FOUND if open_findings or over else DONE


def names(finding: Finding) -> set[str]:
    """Every name of an advisory."""
    return {finding.advisory, *finding.aliases}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
