"""URLs and addresses that may not be fetched: none gets past the check, and none leads to a connection."""

import ipaddress

import pytest

from shared.errors import InputError
from shared.fetching.addresses import AddressPolicy, is_public, parse_target
from shared.fetching.fetcher import Fetcher

EVIL_URLS = [
    # schemes
    "file:///etc/passwd",
    "ftp://example.org/a",
    "gopher://127.0.0.1:80/_x",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "//example.org/a",
    "example.org/a",
    "",
    # credentials, and hosts that look like others
    "http://user:password@example.org/",
    "http://user@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http://example.org%2f@127.0.0.1/",
    # ports
    "http://example.org:22/",
    "http://example.org:6379/",
    "https://example.org:8443/",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://example.org:80a/",
    # loopback, private, link-local, shared, reserved, multicast
    "http://127.0.0.1/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    # the same in other spellings
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.1./",
    "http://127.000.000.001/",
    "http://127%2e0%2e0%2e1/",
    "http://127.0.0.0x1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://①②⑦.⓪.⓪.①/",
    # IPv6
    "http://[::1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:808:808::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[2606:4700::1111%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://[::1/",
    # what is no host
    "http:///a",
    "http://:80/",
    "http://a..b/",
    "http://-a.example/",
    "http://exa mple.org/",
    "http://example.org/\r\nX-Injected: 1",
    "http://example.org\x00.evil.test/",
    f"http://{'a' * 64}.example/",
    f"http://example.org/{'a' * 8000}",
]


def resolve_nothing(host: str, _port: int) -> list[str]:
    # A literal address needs no resolver; a name must not have got this far.
    ipaddress.ip_address(host)
    return [host]


@pytest.fixture(scope="module")
def strict_fetcher() -> Fetcher:
    return Fetcher(resolver=resolve_nothing)


@pytest.mark.parametrize("url", EVIL_URLS)
def test_an_evil_url_is_refused(url: str, strict_fetcher: Fetcher) -> None:
    with pytest.raises(InputError) as caught:
        strict_fetcher.fetch(url)
    assert caught.value.code == "url_refused"


@pytest.mark.parametrize("host", ["localhost", "localhost.", "ip6-localhost", "metadata.google.internal"])
@pytest.mark.parametrize("answer", [["127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["8.8.8.8", "10.0.0.1"]])
def test_a_name_is_judged_by_every_address_it_has(host: str, answer: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        Fetcher(resolver=lambda _host, _port: answer).fetch(f"http://{host}/")
    assert caught.value.code == "url_refused"


def test_the_systems_own_answer_for_localhost_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected a public address, got (127\.0\.0\.1|::1)"):
        Fetcher().fetch("http://localhost/")


@pytest.mark.parametrize(
    ("url", "expected", "authority"),
    [
        ("HTTP://Example.ORG:80/a?b#c", "http://example.org/a?b", "example.org"),
        ("https://bücher.example/ü?q=ö", "https://xn--bcher-kva.example/%C3%BC?q=%C3%B6", "xn--bcher-kva.example"),
        ("http://example.org:443/", "http://example.org:443/", "example.org:443"),
        ("https://[2606:4700::1111]/a", "https://[2606:4700::1111]/a", "[2606:4700::1111]"),
        ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8"),
        ("https://a_b.example./x", "https://a_b.example./x", "a_b.example."),
    ],
)
def test_an_ordinary_url_is_kept(url: str, expected: str, authority: str) -> None:
    target = parse_target(url, AddressPolicy())
    assert (target.url, target.authority) == (expected, authority)


def test_no_network_of_the_registries_is_taken_for_public() -> None:
    special = [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4"),
        *("240.0.0.0/4", "::/8", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48"),
        *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    ]
    for network in map(ipaddress.ip_network, special):
        assert not is_public(network[0]), network
        assert not is_public(network[-1]), network
        assert not is_public(network[network.num_addresses // 2]), network
