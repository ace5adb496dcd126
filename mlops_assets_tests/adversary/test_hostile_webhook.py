"""A webhook that is slow, endless, elsewhere than it says, or inside: nothing hangs, and nothing private is asked."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mlops_assets.errors import MlopsError
from mlops_assets.resources.webhook import Webhook

Behaviour = Callable[[socket.socket], None]
LIMIT = 1.0


@contextmanager
def receiver(behaviour: Behaviour, host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and the first bytes of each connection; after those it does as it likes."""
    seen: list[bytes] = []
    server = socket.create_server((host, port))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            seen.append(connection.recv(65536))
            threading.Thread(target=_behave, args=(behaviour, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], seen
    server.close()


def _behave(behaviour: Behaviour, connection: socket.socket) -> None:
    try:
        behaviour(connection)
    except OSError:
        return  # the other side has hung up, which is what is asked of it
    finally:
        connection.close()


def silent(connection: socket.socket) -> None:
    time.sleep(30)


def one_byte_at_a_time(connection: socket.socket) -> None:
    """Each byte before any timeout of a single read."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"a" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def continuing(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def endless_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: " + b"x" * 60000 + b"\r\n")


def fine(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def post(url: str, **settings: bool) -> None:
    Webhook(url, seconds=LIMIT, **{"private": True, **settings}).post(b'{"event": "run_failed"}', {})


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("behaviour", [silent, one_byte_at_a_time, continuing], ids=lambda one: one.__name__)
def test_a_slow_receiver_holds_nobody_longer_than_the_limit(behaviour: Behaviour, scheme: str):
    before = threading.active_count()
    with receiver(behaviour) as (port, seen):
        began = time.monotonic()
        with pytest.raises(MlopsError, match=r"did not answer within 1 s|out of reach"):
            post(f"{scheme}://127.0.0.1:{port}/")
        assert time.monotonic() - began < 2 * LIMIT
        assert seen, "it was asked"
    time.sleep(0.2)
    workers = [thread for thread in threading.enumerate() if "run" in thread.name and thread.is_alive()]
    assert not workers and threading.active_count() <= before + 2, "the thread that waited has ended"


def test_an_endless_answer_is_not_read():
    with receiver(endless) as (port, _):
        post(f"http://127.0.0.1:{port}/")
    with receiver(endless_header) as (port, _), pytest.raises(MlopsError, match="out of reach: HTTPException"):
        post(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(status: int):
    with receiver(fine) as (inside, seen):

        def elsewhere(connection: socket.socket) -> None:
            connection.sendall(
                f"HTTP/1.1 {status} Go\r\nLocation: http://127.0.0.1:{inside}/\r\nContent-Length: 0\r\n\r\n".encode()
            )

        with receiver(elsewhere) as (port, _), pytest.raises(MlopsError, match=rf"redirects \({status}\)"):
            post(f"http://127.0.0.1:{port}/")
        assert seen == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]"],
)
def test_an_address_of_this_machine_is_refused_however_it_is_written(host: str):
    with receiver(fine) as (port, seen):
        with pytest.raises(MlopsError, match=r"is not a public one.*MLOPS_WEBHOOK_PRIVATE|out of reach: gaierror"):
            post(f"http://{host}:{port}/", private=False)
        assert seen == []


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1"),
        *("255.255.255.255", "fc00::1", "fe80::1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1", "fec0::1"),
    ],
)
def test_a_name_that_resolves_to_a_private_address_is_refused_before_a_connection(
    address: str, monkeypatch: pytest.MonkeyPatch
):
    resolve(monkeypatch, lambda: [address])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(MlopsError, match="is not a public one"):
        post("https://hooks.example/x", private=False)


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch):
    resolve(monkeypatch, lambda: ["8.8.8.8", "10.0.0.1"])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(MlopsError, match=r"10\.0\.0\.1"):
        post("http://hooks.example/x", private=False)


def test_a_name_that_resolves_differently_the_second_time_is_connected_to_as_it_was_checked(
    monkeypatch: pytest.MonkeyPatch,
):
    """DNS rebinding: the address is looked up once, and it is the one that is connected to."""
    asked: list[str] = []

    def rebinding() -> list[str]:
        asked.append("now")
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    with receiver(fine, "127.0.0.2") as (port, checked), receiver(fine, "127.0.0.1", port) as (_, rebound):
        resolve(monkeypatch, rebinding)
        post(f"http://hooks.example:{port}/x")
    assert (len(asked), len(checked), len(rebound)) == (1, 1, 0)
    assert f"Host: hooks.example:{port}".encode() in checked[0]


def resolve(monkeypatch: pytest.MonkeyPatch, addresses: Callable[[], list[str]]) -> None:
    """Let every name resolve to ``addresses``; the test asks no server."""

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses()
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_no_proxy_and_no_netrc_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch):
    with receiver(fine) as (proxy, asked), receiver(fine) as (port, seen):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
        post(f"http://127.0.0.1:{port}/")
        assert (len(asked), len(seen)) == (0, 1)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "http://", "http://me:secret@127.0.0.1/", "http://[::1", "//x", "x"],
)
def test_what_is_no_address_of_a_webhook_is_refused_without_being_shown(url: str):
    with pytest.raises(MlopsError, match="is no address") as refused:
        post(url)
    assert "secret" not in str(refused.value)


def test_an_untrusted_certificate_is_refused(tmp_path_factory: pytest.TempPathFactory):
    import ssl
    import subprocess

    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(connection, server_side=True).recv(10)

    worker = threading.Thread(target=serve, daemon=True)
    worker.start()
    with pytest.raises(MlopsError, match="out of reach: SSLCertVerificationError"):
        post(f"https://localhost:{server.getsockname()[1]}/")
    worker.join(5)
    server.close()
