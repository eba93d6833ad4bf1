"""Where the gateway may call: what an address must look like, and which addresses a name may have.

Callers give us addresses to call (webhooks). None of them may reach what only we can reach: our own
host, the private network around it, a cloud's metadata service. So an address is parsed once, by
the parser that will use it, and held to a narrow form; a name is resolved by us, *every* address
it has must be public, and the connection goes to one of the addresses that were checked
(:class:`adapters.http.HTTPClient`). Sources: OWASP SSRF prevention, ASVS 5.0 1.3.6, the IANA
registries of special-purpose addresses.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

_MAX_URL_LENGTH: Final = 2_000
_MAX_NAME_LENGTH: Final = 253
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_AUTHORITY: Final = re.compile(r"(?i:https?)://([^/?#]*)(?:[/?]|$)", re.ASCII)
_PLAIN_PORT: Final = 80
_TLS_PORT: Final = 443

# Names that never leave the host or the local network; what they resolve to is checked anyway.
_LOCAL_NAMES: Final = frozenset(
    {"localhost", "local", "localdomain", "internal", "intranet", "lan", "corp", "home", "private"}
)
_LOCAL_ENDINGS: Final = ("home.arpa", "in-addr.arpa", "ip6.arpa")

# IANA IPv4 Special-Purpose Address Registry, multicast, and one metadata service in public space.
_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Only global unicast is ever public; these parts of it are not. Forms that carry an IPv4 address
# inside (mapped, NAT64, 6to4, Teredo) are refused whatever they carry.
_UNICAST_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class AddressRefused(OSError):
    """We do not call this address; the text says why and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be called. The default is that of production.

    ``ports`` empty allows every port; ``hosts`` not empty allows these names only.
    ``allows_private`` (hosts and networks that are not public) and ``allows_plain`` (no TLS) are
    for development and tests.
    """

    ports: frozenset[int] = frozenset({443, 8443})
    hosts: frozenset[str] = frozenset()
    allows_private: bool = False
    allows_plain: bool = False


def checked_url(text: str, policy: EgressPolicy) -> URL:
    """The address to call, parsed; raises :class:`AddressRefused`.

    A host that is an address is checked here, a name when it is resolved.
    """
    if len(text) > _MAX_URL_LENGTH or not text.isascii() or not text.isprintable():
        raise AddressRefused("the address must be printable ASCII of at most 2000 characters")
    authority = _AUTHORITY.match(text)
    if authority is None or any(mark in text for mark in ' \\"<>^`{|}'):
        raise AddressRefused("must be an absolute https address")
    if "@" in authority[1] or "%" in authority[1]:
        raise AddressRefused("must not hold a user name, a password or an encoded host")
    try:
        url = URL(text)
        port, host = url.port, url.raw_host
    except ValueError:
        raise AddressRefused("is not an address") from None
    if url.scheme != "https" and not (policy.allows_plain and url.scheme == "http"):
        raise AddressRefused("must begin with https://")
    if not host or not _agree(authority[1], host, url):
        raise AddressRefused("the host cannot be read")
    if port is None or port == 0 or (policy.ports and port not in policy.ports):
        raise AddressRefused("the port is not one that may be called")
    _check_host(host.lower(), policy)
    return url


def _agree(authority: str, host: str, url: URL) -> bool:
    """Whether the parser saw the host that stands in the text: two readings would be a way in."""
    shown = f"[{host}]" if ":" in host else host
    named = authority.lower().removesuffix(":")
    return named in (shown.lower(), f"{shown.lower()}:{url.port}")


def _check_host(host: str, policy: EgressPolicy) -> None:
    if policy.hosts and host not in policy.hosts:
        raise AddressRefused("the host is not on the list of those that may be called")
    if ":" in host:
        check_address(host, policy)
        return
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        check_address(host, policy)
        return
    if len(host) > _MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is not a name")
    if policy.allows_private:
        return
    is_local = len(labels) == 1 or labels[-1] in _LOCAL_NAMES
    if is_local or host.endswith(_LOCAL_ENDINGS):
        raise AddressRefused("the host is a name of a local network")


def check_address(text: str, policy: EgressPolicy) -> None:
    """Raise :class:`AddressRefused` unless an IP address, in its usual form, may be called."""
    try:
        address = ip_address(text)
    except ValueError:
        raise AddressRefused("the host is not an address in its usual form") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise AddressRefused("the host is an address of one link")
    if not policy.allows_private and not is_public(address):
        raise AddressRefused("the host has an address that is not public")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the open internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _REFUSED_V6)
