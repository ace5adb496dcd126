"""One POST to an address from outside: in bounded time, to where it says, and to no private address unasked."""

import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from mlops_assets.errors import MlopsError

SECONDS = 10.0
"""Limit of everything together: name, connection, TLS, request and answer."""
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 addresses as IPv6-only networks write them."""
_TUNNELLED = ip_network("2002::/16")


@dataclass(frozen=True)
class Webhook:
    """Where to post, and whether that may be a private address."""

    url: str = field(repr=False)
    private: bool = False
    seconds: float = SECONDS

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        """Post ``body``; of the answer only its status is read, and no redirect is followed.

        Raises:
            MlopsError: if the address is not allowed, or the receiver does not answer with success in time.
        """
        exchange = _Exchange(_split(self.url), self.private, self.seconds)
        worker = threading.Thread(target=exchange.run, args=(body, headers), daemon=True)
        worker.start()
        worker.join(self.seconds)
        if worker.is_alive():
            exchange.abort()
            raise MlopsError(f"the webhook did not answer within {self.seconds:g} s")
        if exchange.error:
            raise exchange.error
        _require_success(exchange.status)


def _split(url: str) -> SplitResult:
    refused = MlopsError("MLOPS_WEBHOOK_URL is no address. Remedy: https://HOST/PATH, without user and password")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError as error:
        raise refused from error
    if not usable:
        raise refused
    return parts


def _require_success(status: int) -> None:
    if 300 <= status < 400:
        raise MlopsError(f"the webhook redirects ({status}), which is not followed. Remedy: its final address")
    if not 200 <= status < 300:
        raise MlopsError(f"the webhook did not take the message: it answered {status}")


@dataclass
class _Exchange:
    """The work of one POST, done in a thread of its own: no single wait can outlast the limit on all of them."""

    url: SplitResult
    private: bool
    seconds: float
    status: int = 0
    error: MlopsError | None = None
    connected: socket.socket | None = None
    aborted: bool = False

    def run(self, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.status = self._status(body, headers)
        except MlopsError as error:
            self.error = error
        except (OSError, HTTPException, ValueError) as error:
            self.error = MlopsError(f"the webhook is out of reach: {type(error).__name__}")
        finally:
            if self.connected:
                self.connected.close()

    def abort(self) -> None:
        """End whatever the thread waits for."""
        self.aborted = True
        if self.connected:
            try:
                self.connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has just ended by itself

    def _status(self, body: bytes, headers: dict[str, str]) -> int:
        host, secure = self.url.hostname or "", self.url.scheme == "https"
        port = self.url.port or (443 if secure else 80)
        connection = (HTTPSConnection if secure else HTTPConnection)(host, port)
        connection.sock = self._connected(host, port, secure)
        path = self.url.path or "/"
        connection.request("POST", f"{path}?{self.url.query}" if self.url.query else path, body, headers)
        return connection.getresponse().status

    def _connected(self, host: str, port: int, secure: bool) -> socket.socket:
        """A connection to one of the very addresses that were checked: the name is not looked up a second time."""
        last: OSError | None = None
        for family, address in _allowed(host, port, self.private):
            self.connected = socket.socket(family, socket.SOCK_STREAM)
            self.connected.settimeout(self.seconds)
            try:
                self.connected.connect(address)
            except OSError as error:
                self.connected.close()
                last = error
                continue
            return self._encrypted(host) if secure else self.connected
        raise last or OSError("no address")

    def _encrypted(self, host: str) -> socket.socket:
        from requests.certs import where

        context = ssl.create_default_context()
        context.load_verify_locations(where())
        assert self.connected is not None
        encrypted = context.wrap_socket(self.connected, server_hostname=host, do_handshake_on_connect=False)
        self.connected = encrypted  # so that a handshake that never ends can be aborted
        if self.aborted:
            raise OSError("aborted")
        encrypted.do_handshake()
        return encrypted


def _allowed(host: str, port: int, private: bool) -> list[tuple[socket.AddressFamily, tuple]]:
    resolved = [(family, address) for family, _, _, _, address in _addresses(host, port)]
    for _, address in resolved:
        if not (private or is_public(str(address[0]))):
            raise MlopsError(
                f"the webhook's host has the address {address[0]}, which is not a public one. "
                "Remedy: MLOPS_WEBHOOK_PRIVATE=true, where it is meant to be inside"
            )
    return resolved


def _addresses(host: str, port: int):
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def is_public(address: str) -> bool:
    """Whether ``address`` belongs to the internet at large, also behind the forms that IPv6 has for IPv4.

    Example:
        >>> [is_public(address) for address in ("8.8.8.8", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1")]
        [True, False, False, False]
    """
    parsed = _unwrapped(ip_address(address.partition("%")[0]))
    if isinstance(parsed, IPv6Address) and (parsed in _TUNNELLED or parsed.is_site_local):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else address
