"""Redaction: texts and errors without the passwords and keys that this process was given."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
SHORTEST = 6
"""A secret of fewer characters is hidden only where a URL shows it: as a word it would blank ordinary text."""

_PASSWORD = re.compile(r"([A-Za-z][\w+.-]*://[^\s:/@'\"]*):(?!\d+/)[^\s'\"]*@(?=[\w.\[%/-])")
_LOGIN = re.compile(r"[A-Za-z][\w+.-]*://[^\s:/@'\"]*:(?!\d+(?:/|$))(.+@)")
_SIGNATURE = re.compile(
    r"(?i)([?&;][\w.-]*(?:sig|signature|token|passw(?:or)?d|secret|credential|key)[\w.-]*=)[^&\s'\"]+"
)
_SECRET_NAME = re.compile(
    r"(?i)passw(or)?d|secret|credential|connection_string|(^|_)token($|_)|(private|account|access|sas|api)_?key$"
)
_NO_SECRET = re.compile(r"(?i)_(FILE|PATH|URI|URL|ID)$|^GOOGLE_APPLICATION_CREDENTIALS$")


def redacted(text: str) -> str:
    """``text`` without the password of any URL in it, and without any secret of this process's environment.

    Example:
        >>> redacted("postgresql://me:hidden@db/x is out of reach")
        'postgresql://me:***@db/x is out of reach'
    """
    for secret in sorted(_known(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _SIGNATURE.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))


@contextmanager
def redacting() -> Iterator[None]:
    """Whatever is raised in the block, and what it was raised from, is raised on without secrets."""
    try:
        yield
    except Exception as error:
        _redact(error)
        raise


def without_login(url: str) -> tuple[str, str | None, str | None]:
    """``url`` without user and password, and these two, decoded."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None, None
    clean = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return clean, unquote(parts.username), unquote(parts.password or "")


def _redact(error: BaseException) -> None:
    waiting: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while waiting:
        error_now = waiting.pop()
        if error_now is None or any(error_now is other for other in seen):
            continue
        seen.append(error_now)
        waiting += [error_now.__cause__, error_now.__context__]
        if isinstance(error_now, BaseExceptionGroup):
            waiting += error_now.exceptions
        _redact_texts(error_now)


def _redact_texts(error: BaseException) -> None:
    error.args = tuple(redacted(part) if isinstance(part, str) else part for part in error.args)
    for name, value in vars(error).items():
        if isinstance(value, str) and (shown := redacted(value)) != value:
            setattr(error, name, shown)


def _known() -> set[str]:
    """Every secret that the environment holds, in each form in which texts have it."""
    secrets = {secret for name, value in os.environ.items() for secret in _secrets(name, value)}
    return {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}


def _forms(secret: str) -> Iterator[str]:
    """As it is; as an address has it; as Python and JSON quote it."""
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])


def _secrets(name: str, value: str) -> Iterator[str]:
    if name == "MLOPS_STORAGE_OPTIONS":
        yield from _option_secrets(value)
    elif name == "MLOPS_UI_TOKENS":
        yield from _tokens(value)
    elif name == "MLOPS_WEBHOOK_URL":  # whoever knows the address may post to it
        address, _, query = value.partition("?")
        yield from (value, address.partition("://")[2].partition("/")[2].strip("/"), query)
    elif _SECRET_NAME.search(name) and not _NO_SECRET.search(name):
        yield value
    yield from _url_secrets(value)


def _option_secrets(value: str) -> Iterator[str]:
    try:
        options = json.loads(value)
    except ValueError:
        yield value
        return
    if isinstance(options, dict):
        yield from (str(secret) for name, secret in options.items() if _SECRET_NAME.search(name))
        yield from (secret for option in options.values() for secret in _url_secrets(str(option)))


def _tokens(value: str) -> Iterator[str]:
    try:
        tokens = json.loads(value)
    except ValueError:
        tokens = None
    yield from map(str, tokens.values()) if isinstance(tokens, dict) else (value,)


def _url_secrets(url: str) -> Iterator[str]:
    """Its password, also one that makes it no URL (``[``, ``/``, ``@``), and the secrets among its parameters."""
    if login := _LOGIN.match(url):
        for at in re.finditer("@", login[1]):  # which of them ends the password, the address alone does not say
            yield from (login[1][: at.start()], unquote(login[1][: at.start()]))
    address, _, query = url.partition("?")
    if "://" in address:
        yield from (value for name, value in parse_qsl(query) if _SECRET_NAME.search(name))
