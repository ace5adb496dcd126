"""The UI against pages of other origins, names that are not ours, and requests with two meanings."""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from mlops_assets_tests.webserver.doors import LAUNCH, Web, doors, training

CHROMIUM = shutil.which("chromium")
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
MUTATION = 'mutation { launchRun(executionParams: {runConfigData: "{}", selector: {repositoryLocationName: "wine", '
MUTATION += 'repositoryName: "__repository__", jobName: "wine_training"}}) { __typename } }'
PAGE = """<!doctype html><title>A page about wine</title>
<iframe name="hidden"></iframe><iframe src="TARGET/runs"></iframe><img src="TARGET/graphql?query=QUERY">
<form id="plain" method="post" enctype="text/plain" target="hidden" action="TARGET/graphql?query=QUERY"></form>
<form id="coded" method="post" target="hidden" action="TARGET/graphql">
<input name="query" value='MUTATION'></form><ul id="tried"></ul>
<script>
const body = JSON.stringify({query: `MUTATION`}), tried = document.getElementById("tried");
const note = (what) => { tried.appendChild(document.createElement("li")).textContent = what; };
const send = (name, type, mode) => fetch("TARGET/graphql", {
  method: "POST", body, mode, credentials: "include", headers: {"Content-Type": type},
}).then(() => note(name + ": sent"), () => note(name + ": blocked"));
function overSocket() {
  const socket = new WebSocket("TARGET/graphql".replace("http", "ws"), "graphql-ws");
  return new Promise((resolve) => {
    socket.onerror = () => { note("socket: blocked"); resolve(); };
    socket.onopen = () => {
      socket.send(JSON.stringify({type: "connection_init"}));
      socket.send(JSON.stringify({type: "start", id: "1", payload: {query: `MUTATION`}}));
      note("socket: open"); setTimeout(resolve, 500);
    };
  });
}
(async () => {
  await send("json", "application/json", "cors");
  await send("simple", "text/plain", "no-cors");
  await send("disguised", "text/plain; application/json", "no-cors");
  await fetch("TARGET/graphql?query=QUERY", {method: "POST", mode: "no-cors"}).catch(() => 0);
  await fetch("TARGET/graphql?query=QUERY", {mode: "no-cors"}).catch(() => 0);
  await overSocket();
  for (const id of ["plain", "coded"]) {
    document.getElementById(id).submit(); await new Promise((done) => setTimeout(done, 700));
  }
  note("all tried");
})();
</script>"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Web]]:
    with doors(tmp_path_factory.mktemp("doors") / "home", "bare", "guarded", "asking") as opened:
        yield opened


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Another origin on this machine, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def visit(origin: tuple[str, Path], target: Web, folder: Path) -> str:
    """Open the hostile page, aimed at ``target``, in Chromium; what it says it has tried."""
    address, site = origin
    page = PAGE.replace("TARGET", target.url).replace("QUERY", quote(MUTATION)).replace("MUTATION", MUTATION)
    (site / "index.html").write_text(page)
    command = [str(CHROMIUM), "--headless", "--no-sandbox", *QUIET.split(), f"--user-data-dir={folder}"]
    command += ["--disable-sync", "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def test_make_ui_stands_behind_the_guard():
    recipe = (Path(__file__).parents[2] / "Makefile").read_text().partition("\nui:")[2].partition("\n\n")[0]
    assert "mlops ui --host 127.0.0.1" in recipe
    assert "dagster dev" not in recipe and "dagster-webserver" not in recipe


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_page_of_another_origin_launches_no_run(web: dict[str, Web], elsewhere: tuple[str, Path], tmp_path: Path):
    before = web["guarded"].runs()
    unguarded = visit(elsewhere, web["bare"], tmp_path / "one")
    launched = web["guarded"].runs() - before
    assert "all tried" in unguarded and launched > 0, "the page does launch runs where there is no guard"
    guarded = visit(elsewhere, web["guarded"], tmp_path / "two")
    assert "all tried" in guarded
    assert "socket: blocked" in guarded and "socket: open" in unguarded
    assert web["guarded"].runs() == before + launched
    assert web["guarded"].launch(training()).json()["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"


def raw(target: Web, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[int, str]:
    """A request exactly as written: headers twice, or none."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in [*headers, *([("Content-Length", str(len(body)))] if body else [])]:
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


JSON = ("Content-Type", "application/json")
BODY = json.dumps({"query": MUTATION}).encode()
TWO = "query Quiet { version } " + MUTATION.replace("mutation", "mutation Loud")
HERE = ("Host", "localhost")
FROM_ELSEWHERE = {
    "a name that resolves to us": (421, [("Host", "evil.example"), JSON], BODY),
    "a name that begins as ours": (421, [("Host", "localhost.evil.example"), JSON], BODY),
    "ours before an at sign": (421, [("Host", "localhost@evil.example"), JSON], BODY),
    "no name": (421, [("Host", ""), JSON], BODY),
    "another origin": (403, [HERE, JSON, ("Origin", "http://evil.example")], BODY),
    "another port": (403, [HERE, JSON, ("Origin", "http://localhost:81")], BODY),
    "an origin that begins as ours": (403, [HERE, JSON, ("Origin", "http://localhost.evil.example")], BODY),
    "a file or a sandbox": (403, [HERE, JSON, ("Origin", "null")], BODY),
    "two origins": (400, [HERE, JSON, ("Origin", "http://localhost"), ("Origin", "http://evil.example")], BODY),
    "another site": (403, [HERE, JSON, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")], BODY),
    "a port beside": (403, [HERE, JSON, ("Sec-Fetch-Site", "same-site")], BODY),
    "a simple request": (415, [HERE, ("Content-Type", "text/plain")], BODY),
    "a simple request in disguise": (415, [HERE, ("Content-Type", "text/plain; application/json")], BODY),
    "a form": (
        415,
        [HERE, ("Content-Type", "application/x-www-form-urlencoded")],
        b"query=" + quote(MUTATION).encode(),
    ),
    "GraphQL as text": (415, [HERE, ("Content-Type", "application/graphql")], MUTATION.encode()),
    "a batch": (400, [HERE, JSON], b"[" + BODY + b"]"),
    "a persisted query": (400, [HERE, JSON], b'{"extensions": {"persistedQuery": {"sha256Hash": "00"}}}'),
    "two operations, none chosen": (400, [HERE, JSON], json.dumps({"query": TWO}).encode()),
    "an operation that is not there": (400, [HERE, JSON], json.dumps({"query": TWO, "operationName": "x"}).encode()),
    "an operation as a list": (400, [HERE, JSON], json.dumps({"query": TWO, "operationName": ["Quiet"]}).encode()),
    "depth": (400, [HERE, JSON], json.dumps({"query": "{a" * 5000}).encode()),
    "depth of JSON": (400, [HERE, JSON], b"[" * 200_000),
    "length": (400, [HERE, JSON], json.dumps({"query": "{" + "a " * 60_000 + "}"}).encode()),
    "size": (413, [HERE, JSON], b" " * (8 * 1024**2 + 1)),
}


@pytest.mark.parametrize("case", FROM_ELSEWHERE)
def test_a_request_from_elsewhere_or_with_two_meanings_is_refused(web: dict[str, Web], case: str):
    status, headers, body = FROM_ELSEWHERE[case]
    before = web["guarded"].runs()
    assert raw(web["guarded"], "POST", "/graphql", headers, body)[0] == status
    assert web["guarded"].runs() == before


@pytest.mark.parametrize(
    "path",
    [
        f"/graphql?query={quote(MUTATION)}",
        f"/graphql?query={quote('{version}')}&query={quote(MUTATION)}",
        f"/graphql?query={quote(TWO)}&operationName=Loud",
        f"/graphql?query={quote('query Q { version ...F } fragment F on Query { version } ' + MUTATION)}",
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_nothing_is_changed_by_get(web: dict[str, Web], path: str, accept: str):
    before = web["guarded"].runs()
    assert raw(web["guarded"], "GET", path, [HERE, ("Accept", accept)])[0] in (400, 405)
    assert web["guarded"].runs() == before


def test_what_stands_in_the_address_of_a_post_is_not_executed(web: dict[str, Web]):
    before = web["guarded"].runs()
    quiet = json.dumps({"query": "{ version }"}).encode()
    status, answer = raw(web["guarded"], "POST", f"/graphql?query={quote(MUTATION)}", [HERE, JSON], quiet)
    assert (status, web["guarded"].runs()) == (200, before)
    assert "version" in answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_methods_that_the_webserver_does_not_need_are_refused(web: dict[str, Web], method: str):
    assert raw(web["guarded"], method, "/graphql", [HERE])[0] == 405


def test_a_link_on_another_page_opens_the_ui_and_nothing_else(web: dict[str, Web]):
    link = [HERE, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert raw(web["guarded"], "GET", "/runs", link)[0] == 200
    script = [HERE, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
    assert raw(web["guarded"], "GET", "/logs/a/b.out", script)[0] == 403


def test_no_page_may_lay_the_ui_under_its_own_buttons(web: dict[str, Web]):
    import requests

    answer = requests.get(web["guarded"].url, timeout=30)
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def socket_of(target: Web, origin: str) -> ClientConnection:
    address = f"ws://127.0.0.1:{target.port}/graphql"
    return connect(address, origin=Origin(origin), subprotocols=[Subprotocol("graphql-ws")])


def test_a_websocket_of_another_origin_is_not_opened(web: dict[str, Web]):
    for origin in ("http://evil.example", "http://127.0.0.1:81", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            socket_of(web["guarded"], origin)


def test_a_websocket_subscribes_and_executes_nothing_else(web: dict[str, Web]):
    before = web["guarded"].runs()
    with socket_of(web["guarded"], web["guarded"].url) as web_socket:

        def answer(frame: object) -> dict:
            web_socket.send(json.dumps(frame) if not isinstance(frame, bytes) else frame)
            return json.loads(web_socket.recv(timeout=20))

        assert answer({"type": "connection_init"})["type"] == "connection_ack"
        for payload in ({"query": MUTATION}, {"query": TWO, "operation_name": "Loud", "operationName": None}):
            refused = answer({"type": "start", "id": "1", "payload": payload})
            assert refused["type"] == "error"
        assert answer(b"\x00")["type"] == "error"
        assert answer({"type": "steal"})["type"] == "error"
        followed = 'subscription { pipelineRunLogs(runId: "none") { __typename } }'
        seen = answer({"type": "start", "id": "2", "payload": {"query": followed}})
        assert seen["payload"]["data"]["pipelineRunLogs"]["__typename"] == "PipelineRunLogsSubscriptionFailure"
    assert web["guarded"].runs() == before


def test_a_mutation_in_a_fragment_under_another_name_is_seen(web: dict[str, Web]):
    """As a viewer, who may not: the words ``mutation`` and ``launchRun`` alone prove nothing either way."""
    hidden = "mutation M { ...F } fragment F on Mutation { logTelemetry: launchRun"
    hidden += MUTATION.partition("launchRun")[2]
    answer = web["asking"].post({"query": hidden}, Authorization="Bearer viewer-0123456789abcdef")
    assert (answer.status_code, "launchRun is for the role" in answer.text) == (403, True)
    harmless = "{ version } # mutation { launchRun }"
    assert web["asking"].post({"query": harmless}, Authorization="Bearer viewer-0123456789abcdef").ok
    assert LAUNCH.startswith("mutation")
