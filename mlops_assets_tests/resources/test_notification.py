"""Messages reach the webhook signed; what it does not take waits in the outbox and is tried again."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest
import sqlalchemy as sa

from mlops_assets.automation.failures import waiting_messages
from mlops_assets.resources.notification import Delivery, Notification
from mlops_assets.resources.storage import StorageResource
from mlops_assets.storage import messages
from mlops_assets.storage.messages import MOST_ATTEMPTS, Outbox
from mlops_assets.storage.records import RecordStore
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.postgres import Postgres


class Receiver(ThreadingHTTPServer):
    received: list[tuple[dict[str, str], str]]
    answer = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(("127.0.0.1", 0), Handler)
    server.received = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def make_due(storage: Storage) -> None:
    """As if the pause were over."""
    with storage.records.engine.begin() as connection:
        connection.execute(sa.text("UPDATE mlops_messages SET due_at = 0 WHERE due_at IS NOT NULL"))


def test_a_message_is_posted_with_a_signature_over_time_and_body(receiver: Receiver, storage: Storage):
    notification = Notification(webhook_url=receiver.url, webhook_secret="key", private=True)
    assert notification.send(storage, {"event": "run_failed"}) == Delivery(1)
    headers, body = receiver.received[0]
    signed = f"{headers['X-Mlops-Timestamp']}.{body}".encode()
    assert headers["X-Mlops-Signature"] == hmac.new(b"key", signed, hashlib.sha256).hexdigest()
    assert json.loads(body) == {"event": "run_failed"}
    assert Outbox(storage.records).waiting().waiting == 0


def test_without_a_webhook_nothing_is_sent_or_kept(storage: Storage):
    assert Notification().send(storage, {"event": "run_failed"}) == Delivery()
    assert Outbox(storage.records).waiting().waiting == 0


def test_what_the_webhook_does_not_take_waits_and_comes_again_under_the_same_number(
    receiver: Receiver, storage: Storage
):
    notification = Notification(webhook_url=receiver.url, private=True)
    receiver.answer = 500
    first = notification.send(storage, {"event": "one"})
    assert first.error == "the webhook did not take the message: it answered 500"
    assert notification.deliver(storage) == Delivery(), "not before its pause is over"
    assert Outbox(storage.records).waiting().error == first.error
    receiver.answer = 200
    make_due(storage)
    resources = {
        "storage": StorageResource(root=storage.root, database_url=storage.database_url),
        "notification": notification,
    }
    answer = waiting_messages()(dg.build_sensor_context(resources=resources))
    assert isinstance(answer, dg.SkipReason) and answer.skip_message == "1 messages delivered."
    assert [json.loads(body)["event"] for _, body in receiver.received] == ["one", "one"]
    assert len({headers["X-Mlops-Message"] for headers, _ in receiver.received}) == 1
    assert Outbox(storage.records).waiting().waiting == 0


def test_a_message_that_is_never_taken_rests_and_does_not_hold_up_the_others(receiver: Receiver, storage: Storage):
    outbox, notification = Outbox(storage.records), Notification(webhook_url=receiver.url, private=True)
    receiver.answer = 400
    notification.send(storage, {"event": "poison"})
    for _ in range(MOST_ATTEMPTS):
        make_due(storage)
        notification.deliver(storage)
    assert (len(receiver.received), outbox.waiting().resting) == (MOST_ATTEMPTS, 1)
    receiver.answer = 200
    assert notification.send(storage, {"event": "fresh"}) == Delivery(2), "a receiver that works again gets both"
    assert [json.loads(body)["event"] for _, body in receiver.received[-2:]] == ["fresh", "poison"]


def test_the_pause_grows_up_to_an_hour(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    outbox, clock = Outbox(storage.records), [1000.0]
    monkeypatch.setattr(messages.time, "time", lambda: clock[0])
    outbox.put("{}")
    pauses = []
    for _ in range(8):
        assert outbox.claim() and outbox.claim() is None
        began = clock[0]
        with storage.records.engine.connect() as connection:
            clock[0] = connection.execute(sa.text("SELECT due_at FROM mlops_messages")).scalar_one()
        pauses.append(clock[0] - began)
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_many_who_look_at_once_one_sends_each_message(database: str, storage: Storage):
    if database == "postgresql":
        with Postgres.running() as server:
            _claim_by_many(RecordStore(server.database("messages")))
    else:
        _claim_by_many(storage.records)


def _claim_by_many(records: RecordStore) -> None:
    outbox = Outbox(records)
    for number in range(20):
        outbox.put(str(number))

    def claim(_: int) -> list[str]:
        mine = []
        while message := Outbox(records).claim():
            mine.append(message.body)
        return mine

    with ThreadPoolExecutor(6) as pool:
        claimed = [body for mine in pool.map(claim, range(6)) for body in mine]
    assert sorted(claimed, key=int) == [str(number) for number in range(20)]
    records.engine.dispose()


def test_secrets_are_not_written_into_the_outbox(storage: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_WEBHOOK_SECRET", "a-planted-secret")
    notification = Notification(webhook_url="http://127.0.0.1:9/", webhook_secret="a-planted-secret")
    notification.send(storage, {"error": "password a-planted-secret is wrong"})
    with storage.records.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT body, error FROM mlops_messages")).one()
    assert "a-planted-secret" not in str(tuple(row)) and "***" in row.body
