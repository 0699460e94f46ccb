"""The field `Host`: which name and port a request was sent to.

Source: RFC 9110 section 7.2 (`uri-host [ ":" port ]`); RFC 3986 section 3.2.2 (host) and 3.2.3 (port). What the grammar allows
beyond DNS names and addresses (escapes, sub-delimiters, user information before an `@`) names no server of ours.
"""

import re
from ipaddress import IPv6Address

_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?")
MAX_PORT = 65535


def parse_host(field: str) -> str | None:
    """Return the name or address in a Host field, in lower case; None where the field is not a host with a port.

    >>> parse_host("LOCALHOST:8460"), parse_host("[::1]"), parse_host("127.0.0.1:80@evil"), parse_host("")
    ('localhost', '::1', None, None)
    """
    match = _HOST.fullmatch(field)
    if match is None or int(match["port"] or 0) > MAX_PORT:
        return None
    if match["address"] is None:
        return match["name"].lower().removesuffix(".")
    try:
        return str(IPv6Address(match["address"]))
    except ValueError:
        return None
