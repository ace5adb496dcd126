"""The guard: an ASGI application before Dagster's own, which lets through what comes from our pages and is allowed."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlencode

from mlops_assets.automation.attribution import PERSON_HEADER
from mlops_assets.webserver.answers import login_page, page, refusal, secured, session_cookie
from mlops_assets.webserver.body import replayed, whole_body
from mlops_assets.webserver.decisions import DecisionDesk
from mlops_assets.webserver.headers import Headers, Refused, require_allowed_host, require_same_origin
from mlops_assets.webserver.identity import Doorkeeper, Person
from mlops_assets.webserver.operations import Request, Unreadable, read
from mlops_assets.webserver.roles import allows, needed_for
from mlops_assets.webserver.subscriptions import checked_frames

logger = logging.getLogger("mlops_assets.webserver")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

GRAPHQL, LOGIN, DECISIONS, ALIVE = "/graphql", "/mlops-login", "/mlops-decisions", "/server_info"
REPORTS = ("/report_asset_materialization/", "/report_asset_check/", "/report_asset_observation/")
"""Where Dagster takes events by plain POST."""


@dataclass(frozen=True)
class Guard:
    """Dagster's webserver behind a check of host, origin, person and operation.

    What it lets through, it hands on in the one form it has read: no second reader can find another request in it.
    """

    app: App
    doorkeeper: Doorkeeper
    hosts: Collection[str] = ()
    """Names under which browsers may come, beside localhost."""
    desk: DecisionDesk | None = None
    """Where people decide over versions."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, secured(send))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, reads = Headers(scope["headers"]), scope["method"] in ("GET", "HEAD")
        try:
            if scope["path"] != ALIVE or not reads:
                self._require_ours(headers, navigation=reads)
                if scope["path"] == LOGIN:
                    await self._log_in(scope, receive, send)
                    return
                if scope["path"] == DECISIONS and self.desk is not None:
                    await self._decide(self.desk, scope, receive, send)
                    return
                scope, receive = await self._admitted(scope, receive, headers)
        except Refused as refused:
            logger.warning("%s: %s %r refused: %s", _peer(scope), scope["method"], scope["path"], refused.reason)
            asks_who = (
                refused.status == 401 and self.doorkeeper.tokens and "text/html" in ",".join(headers.all("accept"))
            )
            await (login_page(send, LOGIN) if asks_who else refusal(send, refused))
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope["headers"])
        try:
            self._require_ours(headers, navigation=False)
            self._person(scope, headers)
        except Refused as refused:
            logger.warning("%s: WebSocket refused: %s", _peer(scope), refused.reason)
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": ""})
        else:
            await self.app(scope, checked_frames(receive, send), send)

    def _require_ours(self, headers: Headers, navigation: bool) -> None:
        require_allowed_host(headers, self.hosts)
        require_same_origin(headers, navigation)

    def _person(self, scope: Scope, headers: Headers) -> Person:
        person = self.doorkeeper.person(headers, _peer(scope))
        if person is None:
            raise Refused(401, "nobody we know. Remedy: a token of MLOPS_UI_TOKENS, or a role in MLOPS_UI_ROLES")
        return person

    async def _admitted(self, scope: Scope, receive: Receive, headers: Headers) -> tuple[Scope, Receive]:
        """The request as Dagster gets it."""
        person, path = self._person(scope, headers), scope["path"]
        scope = _named(scope, person)
        if scope["method"] in ("GET", "HEAD"):
            return (_read_only(scope) if path == GRAPHQL else scope), receive
        if scope["method"] != "POST" or not (path == GRAPHQL or path.startswith(REPORTS)):
            raise Refused(405, f"{scope['method']} {path!r} is nothing that the webserver does")
        body = await whole_body(receive)
        if path == GRAPHQL:
            request = _sent(headers, body)
            self._require_allowed(person, request)
            return replayed(scope, receive, request.body)
        if not allows(person.role, "admin"):
            _forbid(person, path, "admin")
        logger.info("%s (%s) posts to %s", person.name, person.role, path)
        return replayed(scope, receive, body, keep=True)

    def _require_allowed(self, person: Person, request: Request) -> None:
        if request.kind != "mutation":
            return
        for call in request.calls:
            if not allows(person.role, needed := needed_for(call)):
                _forbid(person, call.name, needed)
        names = ", ".join(call.name for call in request.calls)
        logger.info("%s (%s) calls %s", person.name, person.role, names)

    async def _decide(self, desk: DecisionDesk, scope: Scope, receive: Receive, send: Send) -> None:
        person, status, answer = self._person(scope, Headers(scope["headers"])), 200, ""
        if scope["method"] == "POST":
            if not allows(person.role, "promoter"):
                _forbid(person, DECISIONS, "promoter")
            form = dict(parse_qsl((await whole_body(receive)).decode("utf-8", "replace"), keep_blank_values=True))
            logger.info("%s (%s) decides: %s %s", person.name, person.role, form.get("action"), form.get("system"))
            try:
                answer = await asyncio.to_thread(desk.decide, person, form)
            except Refused as refused:
                status, answer = refused.status, refused.reason
                logger.warning("%s (%s) is refused: %s", person.name, person.role, answer)
        elif scope["method"] not in ("GET", "HEAD"):
            raise Refused(405, f"{scope['method']} {DECISIONS!r} is nothing that the webserver does")
        await page(send, await asyncio.to_thread(desk.page, person, answer), status)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise Refused(401, "a token is asked for")
        form = dict(parse_qsl((await whole_body(receive)).decode("utf-8", "replace")))
        session = self.doorkeeper.session(form.get("token", "").strip())
        if session is None:
            raise Refused(401, "this token is nobody's")
        await session_cookie(send, session, secure=scope.get("scheme") == "https")


def _sent(headers: Headers, body: bytes) -> Request:
    kind = headers.single("content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, f"GraphQL is posted as application/json, not {kind!r}")
    try:
        return read(json.loads(body))
    except Unreadable as error:
        raise Refused(400, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not JSON: {error}") from error


def _read_only(scope: Scope) -> Scope:
    sent = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    if "query" not in sent:
        return {**scope, "query_string": b""}
    try:
        request = read(sent)
    except Unreadable as error:
        raise Refused(400, str(error)) from error
    if request.kind != "query":
        raise Refused(405, f"a {request.kind} by GET. Remedy: POST")
    return {**scope, "query_string": urlencode(request.parameters).encode("latin-1")}


def _named(scope: Scope, person: Person) -> Scope:
    """The same request under the name of the person, and under no other that a client has sent."""
    name = (PERSON_HEADER.encode(), person.name.encode("latin-1", "replace"))
    return {**scope, "headers": [*(header for header in scope["headers"] if header[0].lower() != name[0]), name]}


def _forbid(person: Person, what: str, needed: str) -> NoReturn:
    raise Refused(403, f"{what} is for the role {needed}; {person.name!r} has {person.role}. Remedy: MLOPS_UI_ROLES")


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
