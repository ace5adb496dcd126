"""Roles in the UI: who is asked for, whose word counts, and what each role may launch."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from starlette.routing import Mount, Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from mlops_assets.errors import MlopsError
from mlops_assets.settings import Settings, UiRole
from mlops_assets.webserver.identity import Doorkeeper
from mlops_assets.webserver.operations import Call
from mlops_assets.webserver.roles import NEEDS, needed_for
from mlops_assets_tests.webserver.doors import LAUNCH, TOKENS, Web, doors, selecting, training

RELOAD = {"query": "mutation { reloadWorkspace { __typename } }"}
ADA = {"X-Forwarded-Email": "ada@example.com"}
GRACE = {"X-Forwarded-Email": "grace@example.com", "X-Forwarded-Groups": "staff, judges"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with doors(tmp_path_factory.mktemp("roles") / "home", "asking") as opened:
        yield opened["asking"]


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def test_nobody_is_let_in_without_a_proof(web: Web):
    assert web.post({"query": "{ version }"}).status_code == 401
    for wrong in ("", "x", TOKENS["admin"][:-1], TOKENS["admin"] + "x"):
        assert web.post({"query": "{ version }"}, Authorization=f"Bearer {wrong}").status_code == 401
    assert requests.get(f"{web.url}/runs", timeout=30).status_code == 401
    assert requests.get(f"{web.url}/server_info", timeout=30).ok, "a probe is answered"


@pytest.mark.parametrize(
    ("who", "run", "status"),
    [
        (bearer("viewer"), training(), 403),
        (bearer("trainer"), training(), 200),
        (ADA, training(), 200),
        (ADA, selecting("model", "evaluation"), 200),
        (ADA, selecting("model", "evaluation", "registered_version", "champion"), 200),
        (ADA, selecting("model", "evaluation", checks=("evaluation",)), 200),
        (ADA, selecting("model", checks=("champion",)), 403),
        (ADA, selecting(checks=("champion",)), 403),
        (ADA, selecting("champion"), 403),
        (ADA, selecting("registered_version", "champion"), 403),
        (ADA, training(stepKeys=["wine__champion"]), 403),
        (ADA, training(runConfigData="{resources: {storage: {config: {root: elsewhere}}}}"), 403),
        (ADA, training(executionMetadata={"tags": [{"key": "dagster/image", "value": "theirs"}]}), 403),
        (GRACE, selecting("champion"), 200),
        (GRACE, training(runConfigData={"execution": {}}), 403),
        (bearer("admin"), training(runConfigData={"execution": {}}), 200),
        ({"X-Forwarded-Email": "eve@example.com"}, training(), 403),
    ],
)
def test_a_role_launches_what_it_may(web: Web, who: dict[str, str], run: dict, status: int):
    before = web.runs(**bearer("admin"))
    answer = web.launch(run, **who)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert "is for the role" in answer.text and "MLOPS_UI_ROLES" in answer.text
    assert web.runs(**bearer("admin")) == before + (status == 200), answer.text


@pytest.mark.parametrize(
    ("resource", "config"),
    [
        ("storage", {"root": "/elsewhere", "database_url": "sqlite:////elsewhere.db"}),
        ("tracking", {"tracking_uri": "http://evil.example"}),
        ("notification", {"webhook_url": "http://evil.example"}),
        ("mlflow", {"mlflow_tracking_uri": "http://evil.example", "env": {"MLOPS_ACTOR": "grace"}}),
        ("io_manager", {"base_dir": "/elsewhere"}),
    ],
)
def test_not_even_an_admin_hands_a_run_other_resources(web: Web, resource: str, config: dict):
    before = web.runs(**bearer("admin"))
    run = training(runConfigData=json.dumps({"resources": {resource: {"config": config}}}))
    answer = web.launch(run, **bearer("admin")).json()["data"]["launchRun"]
    assert answer["__typename"] == "RunConfigValidationInvalid"
    assert "Received unexpected config entr" in answer["errors"][0]["message"]
    assert web.runs(**bearer("admin")) == before


def test_a_run_carries_the_name_of_who_launched_it_and_no_other(web: Web):
    for sent in ({}, {"X-Mlops-Person": "grace@example.com"}):
        assert web.launch(training(), **ADA, **sent).ok
        assert tags_of_the_newest_run(web)["mlops/actor"] == "ada@example.com"
    forged = training(executionMetadata={"tags": [{"key": "mlops/actor", "value": "grace@example.com"}]})
    assert web.launch(forged, **ADA).status_code == 403
    assert web.launch(forged, **bearer("admin")).ok
    assert tags_of_the_newest_run(web)["mlops/actor"] == "token admin"


def tags_of_the_newest_run(web: Web) -> dict[str, str]:
    query = "{ runsOrError(limit: 1) { ... on Runs { results { tags { key value } } } } }"
    (run,) = web.post({"query": query}, **bearer("admin")).json()["data"]["runsOrError"]["results"]
    return {tag["key"]: tag["value"] for tag in run["tags"]}


def test_a_run_written_into_the_document_is_judged_like_one_in_variables(web: Web):
    inline = LAUNCH.replace("($run: ExecutionParams!)", "").replace(
        "$run",
        '{selector: {repositoryLocationName: "wine", repositoryName: "__repository__", jobName: "wine_training", '
        'assetSelection: {path: ["wine", "champion"]}}}',
    )
    assert web.post({"query": inline}, **ADA).status_code == 403
    by_default = LAUNCH.replace("$run: ExecutionParams!", '$run: ExecutionParams = {stepKeys: ["wine__champion"]}')
    assert web.post({"query": by_default}, **ADA).status_code == 403


def test_one_call_too_many_refuses_them_all(web: Web):
    both = 'mutation { logTelemetry(action: "", clientId: "", clientTime: "", metadata: "") { __typename } '
    both += "reloadWorkspace { __typename } }"
    assert "reloadWorkspace is for the role admin" in web.post({"query": both}, **GRACE).text
    assert web.post(RELOAD, **bearer("admin")).ok


def test_events_are_reported_by_an_admin_alone(web: Web):
    address = f"{web.url}/report_asset_materialization/wine/champion"
    assert requests.post(address, headers=GRACE, timeout=30).status_code == 403
    assert requests.post(address, headers=bearer("admin"), timeout=30).ok


def test_a_token_typed_in_is_a_session_that_cannot_be_made_up(web: Web):
    html = {"Accept": "text/html"}
    assert 'name="token"' in requests.get(web.url, headers=html, timeout=30).text
    browser = requests.Session()
    login = f"{web.url}/mlops-login"
    assert browser.post(login, data={"token": "guess"}, timeout=30).status_code == 401
    answer = browser.post(login, data={"token": TOKENS["viewer"]}, timeout=30, allow_redirects=False)
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert TOKENS["viewer"] not in answer.headers["Set-Cookie"]
    assert browser.get(web.url, timeout=30).ok
    role, until, seal = str(browser.cookies["mlops_ui"]).split(".")
    for forged in (f"admin.{until}.{seal}", f"{role}.9{until}.{seal}", f"{role}.{until}.", "admin", "a.b.c.d"):
        answer = web.post({"query": "{ version }"}, Cookie=f"mlops_ui={forged}")
        assert answer.status_code == 401, forged
    elsewhere = requests.post(login, data={"token": TOKENS["viewer"]}, headers={"Origin": "http://evil"}, timeout=30)
    assert elsewhere.status_code == 403


def test_a_proxy_is_believed_by_its_address_alone_and_names_one_person(web: Web):
    """The test's own address is that of the trusted proxy."""
    answer = requests.post(f"{web.url}/graphql", json=RELOAD, headers={"X-Forwarded-For": "127.0.0.1"}, timeout=30)
    assert answer.status_code == 401
    settings = Settings(ui_proxies=["10.1.0.0/16"], ui_roles={"admin": ["*"]})  # type: ignore[arg-type]
    keeper = Doorkeeper.of(settings, "0.0.0.0")
    from mlops_assets.webserver.headers import Headers, Refused

    named = Headers([(b"x-forwarded-email", b"ada@example.com")])
    assert keeper.person(named, "10.1.2.3") and keeper.person(named, "::ffff:10.1.2.3")
    for peer in ("10.2.0.1", "127.0.0.1", "", "unix:/run/ui"):
        assert keeper.person(named, peer) is None
    with pytest.raises(Refused, match="2 times"):
        keeper.person(Headers([(b"x-forwarded-email", b"ada"), (b"X-Forwarded-Email", b"root")]), "10.1.2.3")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ml.example.com"])
def test_an_address_that_others_reach_needs_a_token_or_a_proxy(host: str):
    with pytest.raises(MlopsError, match="could be reached by anyone"):
        Doorkeeper.of(Settings(), host)
    tokens: dict[UiRole, str] = {"admin": "x" * 16}
    assert Doorkeeper.of(Settings(ui_tokens=tokens), host)  # type: ignore[arg-type]


def test_settings_that_let_in_nobody_or_anybody_are_refused():
    with pytest.raises(MlopsError, match=r"token of 'admin' has 6 characters"):
        Doorkeeper.of(Settings(ui_tokens={"admin": "secret"}), "127.0.0.1")  # type: ignore[arg-type]
    with pytest.raises(MlopsError, match="lets nobody in"):
        Doorkeeper.of(Settings(ui_proxies=["10.0.0.1"]), "127.0.0.1")  # type: ignore[arg-type]


def test_every_mutation_with_a_role_is_one_that_dagster_has():
    from dagster_graphql.schema import create_schema

    mutations = create_schema().graphql_schema.mutation_type
    assert mutations and set(NEEDS) - {"__typename"} <= set(mutations.fields)
    assert {needed_for(Call(name, {})) for name in set(mutations.fields) - set(NEEDS)} == {"admin"}


def test_no_route_of_the_webserver_is_open_without_a_proof_or_lets_a_viewer_write(web: Web):
    """Every route that Dagster's own application has, also those of a later one."""
    paths = {path for path in addresses() if path != "/server_info"}
    assert {"/graphql", "/notebook", "/report_asset_check/x"} <= paths
    for path in sorted(paths):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = requests.request(method, web.url + path, json={}, timeout=30)
            assert answer.status_code in (401, 405), f"{method} {path}"
            if method != "GET" and path != "/graphql":
                answer = requests.request(method, web.url + path, json={}, headers=bearer("viewer"), timeout=30)
                assert answer.status_code in (403, 405), f"{method} {path}"


def test_no_websocket_is_opened_without_a_proof(web: Web):
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{web.port}/graphql", origin=Origin(web.url), subprotocols=[Subprotocol("graphql-ws")])


def addresses() -> set[str]:
    """One path for every route of HTTP."""
    from dagster_webserver.webserver import DagsterWebserver

    server = DagsterWebserver(cast(Any, None))  # of the process it asks nothing until it is served
    return {re.sub(r"{[^}]+}", "x", route.path) for route in server.build_routes() if isinstance(route, Route | Mount)}


def test_mlops_ui_refuses_to_listen_for_everybody(tmp_path: Path):
    from mlops_assets_tests.shell import Shell

    answer = Shell(tmp_path / "home").mlops("ui", "--host", "0.0.0.0", "--no-daemon")
    assert answer.returncode == 1
    assert "could be reached by anyone" in answer.stderr
