"""A log on a server that lays it out as tlog-tiles, read for verification.

Rules, in order:

1. An answer of 200 is a file's content, of 404 or 410 its absence; anything else, or no answer, says nothing about the log.
2. An answer is cut off at the size of the largest resource that the format allows, whatever the server sends.

Source: C2SP tlog-tiles.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from shared.errors import InputError, UnavailableError, VerificationError
from shared.ledger.layout import MAX_RESOURCE_BYTES

# Enough to hide a round trip behind the hashing of the last bundle, few enough to be a polite client.
PARALLEL_REQUESTS = 4

# A server that says nothing for so long is taken to be down; RFC 9110 names no figure.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)

# RFC 9110 sections 15.5.5 and 15.5.11: there is no such file.
_ABSENT = frozenset({404, 410})


class HttpReader:
    """The files of a log on a server.

    Args:
        client: whose base URL is the log's prefix; the caller closes it.
    """

    parallel_reads = PARALLEL_REQUESTS

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __str__(self) -> str:
        return str(self._client.base_url).rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Fetch a file by its path below the log's prefix; None where it is not there.

        Raises:
            UnavailableError: no answer, or one that is neither the file nor its absence.
            VerificationError: the answer is longer than any file of a log.
        """
        try:
            with self._client.stream("GET", path) as response:
                if response.status_code in _ABSENT:
                    return None
                if response.status_code != httpx.codes.OK:
                    raise UnavailableError(f"{response.url}: expected status 200 or 404, got {response.status_code}")
                return _read_body(response)
        except httpx.HTTPError as error:
            raise UnavailableError(f"{self}/{path}: expected an answer, got {error or type(error).__name__}") from error

    def list_files(self) -> Iterator[str]:
        """Yield nothing: the format has no listing."""
        return iter(())


def _read_body(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_RESOURCE_BYTES:
            raise VerificationError(f"{response.url}: expected at most {MAX_RESOURCE_BYTES} bytes, got more")
    return bytes(body)


@contextmanager
def open_http_reader(url: str) -> Iterator[HttpReader]:
    """Open a log on a server; nothing is fetched yet.

    Args:
        url: the http or https URL of the log's prefix.

    Yields:
        A reader, usable within the block.

    Raises:
        InputError: the URL cannot be parsed.
    """
    try:
        client = httpx.Client(base_url=url, timeout=TIMEOUT, follow_redirects=True)
    except httpx.InvalidURL as error:
        raise InputError(f"log: expected a folder or an http(s) URL, got {url}: {error}") from error
    with client:
        yield HttpReader(client)
