"""Messages reach the webhook signed, and a receiver that refuses is an error."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mlops_assets.errors import MlopsError
from mlops_assets.resources.notification import Notification


class Receiver(HTTPServer):
    received: list[tuple[dict[str, str], str]]
    answer = 200


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
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def url(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.server_port}/hook"


def test_a_message_is_posted_with_a_signature_over_time_and_body(receiver: Receiver):
    assert Notification(webhook_url=url(receiver), webhook_secret="key").send({"event": "run_failed"})
    headers, body = receiver.received[0]
    signed = f"{headers['X-Mlops-Timestamp']}.{body}".encode()
    assert headers["X-Mlops-Signature"] == hmac.new(b"key", signed, hashlib.sha256).hexdigest()
    assert json.loads(body) == {"event": "run_failed"}


def test_without_a_webhook_nothing_is_sent():
    assert Notification().send({"event": "run_failed"}) is False


def test_a_receiver_that_refuses_is_an_error(receiver: Receiver):
    receiver.answer = 500
    with pytest.raises(MlopsError, match="did not take the message"):
        Notification(webhook_url=url(receiver)).send({})
