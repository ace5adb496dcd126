"""The body of a request: read whole, within limits, and handed on."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlops_assets.webserver.headers import Refused

MOST_BYTES = 8 * 1024**2
MOST_SECONDS = 30
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def whole_body(receive: Receive) -> bytes:
    """Everything the client sends.

    Raises:
        Refused: if it is too much, takes too long, or breaks off.
    """
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await _gathered(receive)
    except TimeoutError as error:
        raise Refused(408, f"the body took longer than {MOST_SECONDS} s") from error


async def _gathered(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the client went away")
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise Refused(413, f"the body has more than {MOST_BYTES:,} bytes")
        more = message.get("more_body", False)
    return bytes(body)


def replayed(
    scope: MutableMapping[str, Any], receive: Receive, body: bytes, keep: bool = False
) -> tuple[MutableMapping[str, Any], Receive]:
    """The same request with ``body`` alone: as JSON and without a query string, unless these are to be kept."""
    dropped = {b"content-length", b"transfer-encoding"} | (set() if keep else {b"content-type", b"content-encoding"})
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in dropped]
    headers += [(b"content-length", str(len(body)).encode())]
    headers += [] if keep else [(b"content-type", b"application/json")]
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return {**scope, "headers": headers, **({} if keep else {"query_string": b""})}, again
