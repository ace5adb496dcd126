"""Exit codes: how a command ended, for CI and shell scripts."""

import re
from collections.abc import Iterable
from enum import IntEnum

from mlops_assets.errors import GateNotEvaluated, GateRefused, MlopsError, NotEvaluated
from mlops_assets.verdict import BLOCKED


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    REFUSED = 3
    NOT_EVALUATED = 4
    AFFECTED = 5


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.ERROR: "an error, or evidence that does not hold; the message names it and the remedy",
    ExitCode.USAGE: "an argument, option or setting that cannot be meant; nothing was done",
    ExitCode.REFUSED: "refused: a gate failed, or promotion does not allow it",
    ExitCode.NOT_EVALUATED: "not evaluated, which is no pass: a gate or comparison lacks what it needs",
    ExitCode.AFFECTED: "the present champion rests on the batch",
}
COMMANDS: dict[str, dict[ExitCode, str]] = {
    "new": {ExitCode.DONE: "drafted", ExitCode.ERROR: "the file cannot be read, or no system be made of it"},
    "land": {ExitCode.DONE: "landed, or there already; retracted", ExitCode.ERROR: "a file is missing or refused"},
    "run": {
        ExitCode.DONE: "ran, or nothing has changed; the champion may stay",
        ExitCode.ERROR: "a step failed",
        ExitCode.REFUSED: "a blocking gate or check failed",
        ExitCode.NOT_EVALUATED: "none failed, but a blocking one was not evaluated",
    },
    "report": {ExitCode.DONE: "printed, whatever it says"},
    "approve": {
        ExitCode.DONE: "is champion",
        ExitCode.REFUSED: "its gates are not those declared, the comparison speaks against it, or you may not",
    },
    "decline": {ExitCode.DONE: "declined", ExitCode.REFUSED: "it does not wait for approval, or you may not"},
    "rollback": {ExitCode.DONE: "is champion again", ExitCode.REFUSED: "no such earlier champion, or you may not"},
    "archive": {ExitCode.DONE: "archived, or none to archive", ExitCode.REFUSED: "you may not"},
    "aliases": {ExitCode.DONE: "as the ledger says", ExitCode.ERROR: "a hand has moved one"},
    "versions": {ExitCode.DONE: "printed"},
    "compare": {ExitCode.DONE: "compared", ExitCode.NOT_EVALUATED: "not compared head to head; it says why"},
    "history": {ExitCode.DONE: "printed", ExitCode.ERROR: "nobody was champion at that moment"},
    "why": {ExitCode.DONE: "printed"},
    "trace": {ExitCode.DONE: "printed", ExitCode.AFFECTED: "the present champion rests on the batch or row"},
    "card": {ExitCode.DONE: "written", ExitCode.ERROR: "there is no such version, or no champion"},
    "verify": {
        ExitCode.DONE: "everything holds",
        ExitCode.ERROR: "something is not what was recorded",
        ExitCode.NOT_EVALUATED: "what could be looked at holds, something could not",
    },
    "sign": {ExitCode.DONE: "signed", ExitCode.ERROR: "the key or the version's files are not as they should be"},
    "ledger verify": {
        ExitCode.DONE: "every chain holds",
        ExitCode.ERROR: "an entry was changed, added or taken away",
        ExitCode.NOT_EVALUATED: "the head that was noted outside the ledger cannot be seen",
    },
    "ledger accept": {ExitCode.DONE: "accepted", ExitCode.REFUSED: "it is as it was noted, or no reason was given"},
    "doctor": {ExitCode.DONE: "all is well", ExitCode.ERROR: "something is wrong"},
    "instance": {ExitCode.DONE: "written", ExitCode.ERROR: "the folder cannot be written"},
    "ui": {ExitCode.DONE: "stopped by a signal", ExitCode.ERROR: "it would be open to others, or cannot listen"},
    "daemon": {ExitCode.DONE: "stopped by a signal", ExitCode.ERROR: "the instance or the code cannot be loaded"},
}
"""What each command can end with and when; every command has ``ERROR`` and ``USAGE`` besides."""
_BLOCKED = re.compile(rf"{BLOCKED} \S+: \S+ (failed|not evaluated): ")


def code_of(error: MlopsError) -> ExitCode:
    """With what a command ends that raised ``error``.

    Example:
        >>> code_of(GateRefused("wine model 1f2e is refused"))
        <ExitCode.REFUSED: 3>
    """
    if isinstance(error, GateNotEvaluated | NotEvaluated):
        return ExitCode.NOT_EVALUATED
    return ExitCode.REFUSED if isinstance(error, GateRefused) else ExitCode.ERROR


def code_of_run(code: int, refusals: Iterable[str]) -> ExitCode:
    """With what ``mlops run`` ends whose process ended with ``code`` and whose steps said ``refusals``."""
    if code == 0:
        return ExitCode.DONE
    codes = {_code_of_refusal(refusal) for refusal in refusals} or {ExitCode.ERROR}
    return min(codes)


def _code_of_refusal(refusal: str) -> ExitCode:
    if blocked := _BLOCKED.match(refusal):
        return ExitCode.REFUSED if blocked[1] == "failed" else ExitCode.NOT_EVALUATED
    if refusal.startswith((f"{GateNotEvaluated.__name__}: ", f"{NotEvaluated.__name__}: ")):
        return ExitCode.NOT_EVALUATED
    return ExitCode.REFUSED if refusal.startswith(f"{GateRefused.__name__}: ") else ExitCode.ERROR
