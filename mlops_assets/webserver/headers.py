"""The headers of a request, and whether it comes from where it may."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class Refused(Exception):
    """A request that is not let through: HTTP status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Headers:
    """The raw headers of an ASGI scope, names in lower case."""

    raw: Iterable[tuple[bytes, bytes]]

    def all(self, name: str) -> list[str]:
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for header, value in self.raw if header.lower() == key]

    def single(self, name: str) -> str:
        """The header, or "" where it is absent.

        Raises:
            Refused: if it is there more than once, so that two readers could take different ones.
        """
        values = self.all(name)
        if len(values) > 1:
            raise Refused(400, f"the header {name} is there {len(values)} times")
        return values[0] if values else ""

    def cookies(self, name: str) -> Iterator[str]:
        """The values of every cookie of this name."""
        for part in "; ".join(self.all("cookie")).split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                yield value


def require_allowed_host(headers: Headers, allowed: Collection[str]) -> None:
    """Refuse a Host that is not ours: a name that was made to resolve to us (DNS rebinding).

    Raises:
        Refused: naming the setting that allows it.
    """
    host = headers.single("host").lower()
    if host in allowed or _without_port(host) in {*LOOPBACK, *allowed}:
        return
    raise Refused(421, f"Host {host!r} is not served here. Remedy: add it to MLOPS_UI_ALLOWED_HOSTS")


def require_same_origin(headers: Headers, navigation: bool) -> None:
    """Refuse what a page of another origin has sent, another port of this machine included.

    Browsers name the page in ``Origin``, or its relation to us in ``Sec-Fetch-Site``; other clients send neither. A
    link on another page may be followed where ``navigation`` is all that comes of it.

    Raises:
        Refused: if the page is not one of ours.
    """
    origin, host = headers.single("origin").lower(), headers.single("host").lower()
    if origin and origin not in (f"http://{host}", f"https://{host}"):
        raise Refused(403, f"Origin {origin!r} is not this server, {host!r}")
    site = headers.single("sec-fetch-site").lower()
    if site in ("", "same-origin", "none"):
        return
    if navigation and headers.single("sec-fetch-mode").lower() == "navigate":
        return
    raise Refused(403, f"a page of another origin sent this ({site})")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
