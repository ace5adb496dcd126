"""YAML flow style: values as one line of YAML that reads back as the same value."""

import re
from collections.abc import Mapping

PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*([ ./-][A-Za-z0-9_]+)*$")
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
"""Words that YAML 1.1, or a reader of it, takes for something else than text."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def flow(value: object) -> str:
    """``value`` (text, number, truth, list, mapping with text keys) as YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    return text(value) if isinstance(value, str) else str(value)


def text(value: str) -> str:
    """``value`` plain where nothing else can be meant, else in double quotes."""
    if PLAIN.match(value) and value.lower() not in WORDS:
        return value
    return '"' + "".join(_escaped(character) for character in value) + '"'


def number(value: float) -> str:
    """The shortest digits of ``value``; YAML 1.1 wants a point before an exponent."""
    digits, exponent, power = repr(value).partition("e")
    return digits + ("" if "." in digits or not exponent else ".0") + exponent + power


def comment(sentence: str) -> str:
    """``sentence`` on one line, without characters that end a comment or that YAML refuses."""
    return "".join(character if character.isprintable() else " " for character in sentence).strip()


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\u{ord(character):04X}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08X}"
