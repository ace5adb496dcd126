"""Frames of a WebSocket: subscriptions are let through, nothing else is executed over one."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlops_assets.webserver.operations import Unreadable, read

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PLAIN = {"connection_init", "connection_terminate", "stop"}
"""Frames of the protocol ``graphql-ws`` that start nothing."""


def checked_frames(receive: Receive, send: Send) -> Receive:
    """``receive`` with every frame read and written anew; one that is refused is answered with an error."""

    async def next_frame() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                return {"type": "websocket.receive", "text": json.dumps(_checked(message.get("text")))}
            except (Unreadable, ValueError, RecursionError) as error:
                frame = {"type": "error", "id": None, "payload": {"message": str(error)}}
                await send({"type": "websocket.send", "text": json.dumps(frame)})

    return next_frame


def _checked(text: str | None) -> dict[str, Any]:
    frame = json.loads(text or "null")
    if not isinstance(frame, dict):
        raise Unreadable("a frame is a JSON object")
    kept = {key: frame[key] for key in ("id", "type") if isinstance(frame.get(key), str)}
    if kept.get("type") in PLAIN:
        return kept
    if kept.get("type") != "start" or not isinstance(frame.get("payload"), dict):
        raise Unreadable(f"a frame of type {frame.get('type')!r} is not known")
    return {**kept, "payload": _subscription(frame["payload"])}


def _subscription(payload: dict[str, Any]) -> dict[str, Any]:
    request = read({**payload, "operationName": payload.get("operationName", payload.get("operation_name"))})
    if request.kind != "subscription":
        raise Unreadable(f"a {request.kind} over a WebSocket. Remedy: POST")
    return {"query": request.query, "variables": request.variables, "operation_name": request.operation_name}
