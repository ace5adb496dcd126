"""What the guard answers itself: refusals, the page that asks for a token, and headers for every page."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlops_assets.webserver.headers import Refused
from mlops_assets.webserver.identity import COOKIE, SESSION_SECONDS

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
SECURITY = {
    b"x-frame-options": b"SAMEORIGIN",
    b"x-content-type-options": b"nosniff",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"referrer-policy": b"strict-origin-when-cross-origin",
}
FRAMED = (b"content-security-policy", b"frame-ancestors 'self'")
"""A page of another origin must not lay ours under its own buttons."""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>mlops ui</title>
<body style="font: 16px system-ui; max-width: 30em; margin: 15vh auto">
<form method="post" action="{action}"><label>Token <input name="token" type="password" autofocus
autocomplete="current-password"></label> <button>Sign in</button></form>
<p>Whoever runs this server has set it: MLOPS_UI_TOKENS.</p></body></html>"""


def secured(send: Send) -> Send:
    """``send`` that puts on every answer what keeps browsers from being used against it."""

    async def with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            there = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in SECURITY.items() if name not in there]
            message = {**message, "headers": [*headers, FRAMED]}
        await send(message)

    return with_headers


async def refusal(send: Send, refused: Refused) -> None:
    """Say why, in the form of a GraphQL error."""
    body = json.dumps({"data": None, "errors": [{"message": refused.reason}]}).encode()
    asks = [(b"www-authenticate", b"Bearer")] if refused.status == 401 else []
    await _answer(send, refused.status, body, [(b"content-type", b"application/json"), *asks])


async def login_page(send: Send, action: str) -> None:
    """Ask for a token."""
    await _answer(send, 401, PAGE.format(action=action).encode(), [(b"content-type", b"text/html; charset=utf-8")])


async def page(send: Send, html: str, status: int) -> None:
    """Show a page of our own."""
    await _answer(send, status, html.encode(), [(b"content-type", b"text/html; charset=utf-8")])


async def session_cookie(send: Send, session: str, secure: bool) -> None:
    """Give the browser its session, and lead it to the UI."""
    cookie = f"{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}"
    cookie += "; Secure" if secure else ""
    await _answer(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
