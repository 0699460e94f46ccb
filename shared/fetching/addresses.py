"""Which URLs and addresses may be fetched at all.

Rules, in order:

1. A URL is http or https, without credentials, on an allowed port, and spelled so that every reader finds the same host in it:
   no spaces, control characters or backslashes, no percent signs in the host.
2. A host is a name of the DNS or an IP address in its one canonical spelling. Decimal, octal, hexadecimal and shortened
   addresses are refused, never interpreted.
3. An address is public: globally reachable unicast. IPv6 is accepted in 2000::/3 only, which leaves out every form that
   carries an IPv4 address in `::/96`, `::ffff:0:0/96` and NAT64's `64:ff9b::/96`; 6to4 and Teredo, which lie inside, are left
   out by name.
4. What the policy allows by network is allowed, public or not.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890); WHATWG URL Standard, "ends in a number".
"""

import ipaddress
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpx

from shared.errors import InputError

Network = IPv4Network | IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 9110 section 4.1 asks everyone to support 8,000 octets; links that are longer are not meant to be fetched by others.
MAX_URL_CHARACTERS = 8000

# Allocated for global unicast: RFC 4291 section 2.4 and IANA's IPv6 Global Unicast Address Assignments.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Public by their numbers, and yet no address of a public web server.
_NEVER_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890; Python's own list has parts of it
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    IPv4Network("168.63.129.16/32"),  # a cloud's own wire server: learn.microsoft.com, "What is IP address 168.63.129.16?"
    IPv6Network("2001::/32"),  # Teredo, RFC 4380: carries an IPv4 address
    IPv6Network("2002::/16"),  # 6to4, RFC 3056: carries an IPv4 address
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
# RFC 3986 section 2: none of these belongs in a URL; readers disagree on what they mean there.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
# RFC 1035 section 2.3.1, with the underscore that some hosts use.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*", re.ASCII)
# WHATWG URL Standard: with such a last label, a host is meant as an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True)
class AddressPolicy:
    """What may be fetched beside public addresses on the ports of the web.

    Args:
        allowed_networks: reached although they are not public, such as a company's own image store.
        allowed_ports: the only ports that a URL may name.
        public: whether public addresses are reached at all, beside the allowed networks.
    """

    allowed_networks: tuple[Network, ...] = ()
    allowed_ports: frozenset[int] = field(default=frozenset(DEFAULT_PORTS.values()))
    public: bool = True


@dataclass(frozen=True)
class Target:
    """A URL that may be fetched if its host's addresses may; `url` has no fragment."""

    url: str
    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def origin(self) -> str:
        """Scheme, host and port, as RFC 6454 compares them."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def refuse_url(message: str) -> InputError:
    """Make the error of a URL that may not be fetched."""
    return InputError(message, code="url_refused")


def parse_target(url: str, policy: AddressPolicy) -> Target:
    """Take a URL apart, and refuse what may not be fetched whatever its host resolves to.

    Args:
        url: absolute; names in other scripts are turned into their ASCII form (IDNA 2008).
        policy: says which ports are allowed.

    Raises:
        InputError: code `url_refused`.

    >>> parse_target("https://Example.org/a b", AddressPolicy())
    Traceback (most recent call last):
    shared.errors.InputError: expected a URL without spaces, control characters or backslashes, got 'https://Example.org/a b'
    >>> parse_target("https://Example.org/a#b", AddressPolicy()).url
    'https://example.org/a'
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise refuse_url(f"expected a URL of at most {MAX_URL_CHARACTERS:,} characters, got {len(url):,}")
    if _FORBIDDEN.search(url):
        raise refuse_url(f"expected a URL without spaces, control characters or backslashes, got {url!r}")
    try:
        parsed = httpx.URL(url).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise refuse_url(f"expected a URL, got {url!r}: {error}") from error
    if parsed.scheme not in DEFAULT_PORTS:
        raise refuse_url(f"expected the scheme http or https, got {parsed.scheme!r}")
    if parsed.userinfo:
        raise refuse_url(f"expected a URL without credentials, got some for {parsed.host}")
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if port not in policy.allowed_ports:
        raise refuse_url(f"expected one of the ports {sorted(policy.allowed_ports)}, got {port}")
    host = parsed.raw_host.decode("ascii").lower()
    _verify_host(host)
    return Target(str(parsed), parsed.scheme, host, port, parsed.raw_path)


def verify_address(address: str, policy: AddressPolicy) -> None:
    """Check that an address may be connected to.

    Args:
        address: as a resolver gives it.
        policy: says which networks are allowed although they are not public.

    Raises:
        InputError: code `url_refused`.
    """
    parsed = ipaddress.ip_address(address)
    if (policy.public and is_public(parsed)) or any(parsed in network for network in policy.allowed_networks):
        return
    expected = "a public address" if policy.public else "an address in an allowed network"
    raise refuse_url(f"expected {expected}, got {address}")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is globally reachable unicast.

    >>> [is_public(ipaddress.ip_address(one)) for one in ("8.8.8.8", "100.64.0.1", "169.254.169.254", "224.0.0.1")]
    [True, False, False, False]
    >>> [is_public(ipaddress.ip_address(one)) for one in ("2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "::1")]
    [True, False, False, False]
    """
    if not address.is_global or address.is_multicast or any(address in network for network in _NEVER_PUBLIC):
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


def _verify_host(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        if _DNS_NAME.fullmatch(name) is None or _NUMBER.fullmatch(name.rpartition(".")[2]):
            raise refuse_url(f"expected a DNS name or a canonical IP address as host, got {host!r}") from None
        return
    if getattr(address, "scope_id", None) is not None:
        raise refuse_url(f"expected an address without a zone, got {host!r}")
