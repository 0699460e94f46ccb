"""Responses kept as they came, in WARC files that any web archive can read.

Rules, in order:

1. Every hop of a fetch becomes a response record and its request record, each a gzip member of its own, so that a record can
   be read without what stands before it.
2. A day's captures (UTC) are appended to one file, `<day>.warc.gz`, under a lock; a capture is durable before its locator is
   returned.
3. Nothing is ever cut off. Where a writer died and left a file longer than what was promised, the file stays as it is and the
   day goes on in `<day>.2.warc.gz`. What was promised stands beside each file, in `<name>.length`.
4. The payload is the body as sent, without transfer coding; its digest is SHA-256. Credentials are left out of requests.
5. Reading checks the gzip member, the record and its digest: damage is an error, never a result.

Source: WARC 1.1 (ISO 28500:2017), annexes A and D.
"""

import base64
import fcntl
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]
from warcio.exceptions import ArchiveLoadFailed  # type: ignore[import-untyped]
from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]
from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

from shared.canonical import sha256_hex
from shared.clock import timestamp, utc_now
from shared.errors import CorruptStateError, InputError, NotFoundError
from shared.fetching.connection import Exchange, Headers, decode_body
from shared.fetching.fetcher import Fetched
from shared.files import save_atomically, sync_folder

_FILE_NAME = re.compile(r"\d{4}-\d\d-\d\d(?:\.[1-9]\d*)?\.warc\.gz", re.ASCII)
_LOCATOR = re.compile(rf"(?P<file>{_FILE_NAME.pattern})#(?P<offset>\d+)\+(?P<length>\d+)", re.ASCII)
# The cap was held when the response was fetched; this one only keeps a damaged file from filling the memory.
_MAX_BODY_BYTES = 2**30
# RFC 9110 sections 11.6.2 and 11.7.2, RFC 6265 section 4.2.
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
# The payload is kept without transfer coding; web archives keep the header under this name.
_TRANSFER_CODING = {"transfer-encoding": "X-Orig-Transfer-Encoding"}


@dataclass(frozen=True)
class WarcLocator:
    """Where a response record lies: file, offset and length in bytes of its gzip member."""

    file: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}#{self.offset}+{self.length}"

    @classmethod
    def parse(cls, text: str) -> "WarcLocator":
        """Read what `str` wrote.

        Raises:
            InputError: code `locator_invalid`.

        >>> WarcLocator.parse("2026-01-31.warc.gz#120+4096")
        WarcLocator(file='2026-01-31.warc.gz', offset=120, length=4096)
        """
        match = _LOCATOR.fullmatch(text)
        if match is None:
            raise InputError(f"expected a locator such as 2026-01-31.warc.gz#0+100, got {text!r}", code="locator_invalid")
        return cls(match["file"], int(match["offset"]), int(match["length"]))


@dataclass(frozen=True)
class Capture:
    """A kept response: where it is, and the SHA-256 of its payload, which is the body as sent."""

    locator: WarcLocator
    payload_sha256: str


@dataclass(frozen=True)
class CapturedResponse:
    """A response read back: `payload` as sent, `body` without content coding."""

    url: str
    captured_at: datetime
    status: int
    headers: Headers
    payload: bytes
    body: bytes


class WarcStore:
    """A folder of WARC files; may be used by many threads and processes at once.

    Args:
        folder: made on first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, fetched: Fetched) -> Capture:
        """Keep what a fetch brought, durable on return."""
        return self.save_many([fetched])[0]

    def save_many(self, fetched: Sequence[Fetched]) -> list[Capture]:
        """Keep what several fetches brought, waiting for the disk once; all are durable on return.

        Returns:
            For each, in its order, the capture of its answer; the hops that led to it stand before it in the file.
        """
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self.folder.parent)
        with self._locked():
            path, offset = self._find_file(utc_now())
            out = io.BytesIO()
            if offset == 0:
                _write_info(out, path.name)
            captures = [_write_fetched(out, response, path.name, offset) for response in fetched]
            _append(path, out.getvalue())
            sync_folder(self.folder)
            save_atomically(_length_file(path), str(offset + out.tell()).encode())
        return captures

    def load(self, locator: WarcLocator) -> CapturedResponse:
        """Read a response back and check it.

        Raises:
            NotFoundError: code `capture_not_found`; there is no such file.
            CorruptStateError: code `capture_damaged`; what lies there is not the whole, undamaged record.
        """
        if _FILE_NAME.fullmatch(locator.file) is None:
            raise InputError(f"expected the name of a day's WARC file, got {locator.file!r}", code="locator_invalid")
        try:
            with (self.folder / locator.file).open("rb") as file:
                file.seek(locator.offset)
                member = file.read(locator.length)
        except FileNotFoundError as error:
            raise NotFoundError(f"no WARC file {locator.file}", code="capture_not_found") from error
        try:
            return _parse_response(gzip.decompress(member))
        except (OSError, EOFError, ValueError, zlib.error, ArchiveLoadFailed, StopIteration) as error:
            raise CorruptStateError(f"capture {locator} is damaged: {error}", code="capture_damaged") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _find_file(self, moment: datetime) -> tuple[Path, int]:
        """Return the file to append to and its size: the day's first one that is new, or as long as was promised."""
        day = moment.date().isoformat()
        path, number = self.folder / f"{day}.warc.gz", 1
        while path.exists() and not _is_whole(path):
            number += 1
            path = self.folder / f"{day}.{number}.warc.gz"
        return path, path.stat().st_size if path.exists() else 0


def _is_whole(path: Path) -> bool:
    promised = _length_file(path)
    return promised.exists() and promised.read_bytes() == str(path.stat().st_size).encode()


def _length_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.length")


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_info(out: io.BytesIO, name: str) -> None:
    writer = WARCWriter(out, gzip=True, warc_version="1.1")
    writer.write_record(writer.create_warcinfo_record(name, {"software": "Sleeve", "format": "WARC File Format 1.1"}))


def _write_fetched(out: io.BytesIO, fetched: Fetched, name: str, base: int) -> Capture:
    for exchange in fetched.exchanges:
        start = out.tell()
        end = _write_exchange(out, exchange)
    return Capture(WarcLocator(name, base + start, end - start), sha256_hex(fetched.answer.sent_body))


def _write_exchange(out: io.BytesIO, exchange: Exchange) -> int:
    """Write the two records of an exchange; return where the first, the response, ends."""
    writer = WARCWriter(out, gzip=True, warc_version="1.1")
    url = exchange.request.target.url
    about = {"WARC-Date": timestamp(exchange.started_at), "WARC-IP-Address": exchange.address}
    digest = {"WARC-Payload-Digest": _format_digest(exchange.sent_body)}
    headers = [(_TRANSFER_CODING.get(name.lower(), name), value) for name, value in exchange.headers]
    response = writer.create_warc_record(
        url,
        "response",
        payload=io.BytesIO(exchange.sent_body),
        length=len(exchange.sent_body),
        warc_headers_dict={**about, **digest},
        http_headers=StatusAndHeaders(f"{exchange.status} {exchange.reason}".strip(), headers, protocol="HTTP/1.1"),
    )
    writer.write_record(response)
    end = out.tell()
    path = exchange.request.target.path.decode("ascii")
    sent = [(name, value) for name, value in exchange.request.headers if name.lower() not in _CREDENTIALS]
    request = writer.create_warc_record(
        url,
        "request",
        payload=io.BytesIO(exchange.request.content),
        length=len(exchange.request.content),
        warc_headers_dict={**about, "WARC-Concurrent-To": response.rec_headers.get_header("WARC-Record-ID")},
        http_headers=StatusAndHeaders(f"{exchange.request.method} {path} HTTP/1.1", sent, is_http_request=True),
    )
    writer.write_record(request)
    return end


def _format_digest(payload: bytes) -> str:
    # Base32, as WARC 1.1 section 5.9 shows it for SHA-1 and other tools read it.
    return f"sha256:{base64.b32encode(bytes.fromhex(sha256_hex(payload))).decode()}"


def _parse_response(record_bytes: bytes) -> CapturedResponse:
    record = next(iter(ArchiveIterator(io.BytesIO(record_bytes))))
    if record.rec_type != "response" or record.http_headers is None:
        raise ValueError(f"expected a response record, got {record.rec_type}")
    payload = record.raw_stream.read()
    got, expected = _format_digest(payload), record.rec_headers.get_header("WARC-Payload-Digest")
    if got != expected:
        raise ValueError(f"expected the payload digest {expected}, got {got}")
    headers = tuple((str(name), str(value)) for name, value in record.http_headers.headers)
    coding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
    return CapturedResponse(
        url=record.rec_headers.get_header("WARC-Target-URI"),
        captured_at=datetime.fromisoformat(record.rec_headers.get_header("WARC-Date")),
        status=int(record.http_headers.get_statuscode()),
        headers=headers,
        payload=payload,
        body=decode_body(payload, coding, _MAX_BODY_BYTES),
    )
