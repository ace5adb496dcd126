"""Who asks: the holder of a token, or the person that a trusted proxy names."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from mlops_assets.errors import MlopsError
from mlops_assets.registry.authority import Door
from mlops_assets.settings import Network, Settings, UiRole
from mlops_assets.webserver.headers import Headers
from mlops_assets.webserver.roles import highest

COOKIE = "mlops_ui"
SESSION_SECONDS = 12 * 3600
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Person:
    """Someone with a role."""

    name: str
    role: UiRole
    door: Door = "webserver"
    """What shows who it is."""
    groups: frozenset[str] = frozenset()
    """As the proxy names them."""


@dataclass(frozen=True)
class Doorkeeper:
    """Knows tokens, proxies and roles.

    Where there is neither token nor proxy everybody who reaches the server is its owner; see ``of``.
    """

    tokens: Mapping[UiRole, str]
    proxies: tuple[Network, ...]
    identity_header: str
    groups_header: str
    roles: Mapping[UiRole, tuple[str, ...]]
    owner: str
    """Whoever runs the server: everybody's name where nobody is asked."""

    @classmethod
    def of(cls, settings: Settings, host: str) -> "Doorkeeper":
        """As the settings say, for a server that listens on ``host``.

        Raises:
            MlopsError: if others could reach it and nothing says who they are.
        """
        tokens: dict[UiRole, str] = {role: token.get_secret_value() for role, token in settings.ui_tokens.items()}
        for role, token in tokens.items():
            if len(token) < SHORTEST_TOKEN:
                raise MlopsError(
                    f"MLOPS_UI_TOKENS: the token of {role!r} has {len(token)} characters. "
                    f"Remedy: {SHORTEST_TOKEN} or more, such as: openssl rand -hex 24"
                )
        if not (tokens or settings.ui_proxies or _is_loopback(host)):
            raise MlopsError(
                f"mlops ui on {host!r} could be reached by anyone, and who reaches it can run code. "
                "Remedy: MLOPS_UI_TOKENS, MLOPS_UI_PROXIES, or --host 127.0.0.1"
            )
        if settings.ui_proxies and not settings.ui_roles:
            raise MlopsError(
                'MLOPS_UI_PROXIES without MLOPS_UI_ROLES lets nobody in. Remedy: MLOPS_UI_ROLES=\'{"viewer": ["*"]}\''
            )
        roles: dict[UiRole, tuple[str, ...]] = {role: tuple(names) for role, names in settings.ui_roles.items()}
        return cls(
            tokens,
            tuple(settings.ui_proxies),
            settings.ui_identity_header,
            settings.ui_groups_header,
            roles,
            settings.who,
        )

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches the server is an admin."""
        return not (self.tokens or self.proxies)

    def person(self, headers: Headers, peer: str) -> Person | None:
        """Who asks, or None where nothing proves it."""
        if self.is_open:
            return Person(self.owner, "admin", "open webserver")
        return self._by_token(headers) or self._by_session(headers) or self._by_proxy(headers, peer)

    def session(self, token: str) -> str | None:
        """The cookie that stands for ``token`` from now on, or None if it is nobody's."""
        role = self._role_of(token)
        if role is None:
            return None
        until = f"{int(time.time()) + SESSION_SECONDS}"
        return f"{role}.{until}.{self._seal(role, until)}"

    def _role_of(self, token: str) -> UiRole | None:
        same: list[UiRole] = [
            role for role, known in self.tokens.items() if hmac.compare_digest(known.encode(), token.encode())
        ]
        return highest(same)

    def _by_token(self, headers: Headers) -> Person | None:
        scheme, _, token = headers.single("authorization").partition(" ")
        role = self._role_of(token.strip()) if scheme.lower() == "bearer" else None
        return Person(f"token {role}", role, "token") if role else None

    def _by_session(self, headers: Headers) -> Person | None:
        for cookie in headers.cookies(COOKIE):
            name, _, rest = cookie.partition(".")
            until, _, seal = rest.partition(".")
            role: UiRole | None = next((role for role in self.tokens if role == name), None)
            if role is None or not hmac.compare_digest(self._seal(role, until).encode(), seal.encode()):
                continue
            if time.time() < int(until):
                return Person(f"token {role}", role, "token")
        return None

    def _seal(self, role: UiRole, until: str) -> str:
        return hmac.new(self.tokens[role].encode(), f"session.{role}.{until}".encode(), hashlib.sha256).hexdigest()

    def _by_proxy(self, headers: Headers, peer: str) -> Person | None:
        name = headers.single(self.identity_header).strip()
        if not name or not self._is_proxy(peer):
            return None
        groups = frozenset(group.strip() for group in headers.single(self.groups_header).split(",") if group.strip())
        known = {name, "*", *(f"group:{group}" for group in groups)}
        having: list[UiRole] = [role for role, names in self.roles.items() if known & set(names)]
        role = highest(having)
        return Person(name, role, groups=groups) if role else None

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.proxies)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
