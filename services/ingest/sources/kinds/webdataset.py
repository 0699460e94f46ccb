"""WebDataset: tar files in which consecutive members with one base name are one sample, as img2dataset writes them.

Rules, in order:

1. A sample is `<key>.<png|jpg|jpeg|webp>` with its columns in `<key>.json` and, where it has one, a caption in `<key>.txt`.
   The key is everything before the first dot of the member's file name; it is a name and never a path to write to.
2. The tar is read from front to end, one sample in memory at a time; nothing is extracted. Only plain, uncompressed tars are
   opened, and only regular files in them are read.
3. What the downloader says of a sample is honoured, see `columns.accept_download`.
4. A tar that does not end as one must is an error of its last row: samples may be missing.

Source: https://github.com/webdataset/webdataset#the-webdataset-format; img2dataset's README, "Output format".
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from services.ingest.bulk.rows import BadRow, Row, refuse
from services.ingest.sources.columns import accept_download, build_row
from services.ingest.sources.source import SourceKind, SourceOptions
from shared.errors import InputError, SleeveError

IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp")
# Far above any caption or EXIF dump; a row's entry in the log has to fit in 65,535 bytes anyway.
MAX_COLUMNS_BYTES = 2**20
# Counting reads every header, 25 to 50 µs each: for what is larger than this, progress is shown without a total.
MAX_COUNTED_BYTES = 2**30


@dataclass(frozen=True)
class WebDataset:
    """A source of this kind: one tar file, or the tar files of a folder in the order of their names."""

    path: Path
    options: SourceOptions
    kind = "webdataset"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        return sorted(self.path.glob("*.tar")) if self.path.is_dir() else [self.path]

    def count(self) -> int | None:
        """Count the samples from the headers, where that is quick."""
        if sum(path.stat().st_size for path in self.files()) > MAX_COUNTED_BYTES:
            return None
        return sum(1 for _ in self._samples())

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow]:
        """Yield the rows, but for the first `skip`, of which only headers are read."""
        for sample in islice(self._samples(), skip, None):
            try:
                yield sample.load(self.options)
            except SleeveError as error:
                yield refuse(sample.key, error)

    def _samples(self) -> Iterator["_Sample"]:
        for path in self.files():
            yield from _read_samples(path)


@dataclass
class _Sample:
    """The members of one sample, by suffix, and the tar that they are read from while it stands there."""

    key: str
    tar: tarfile.TarFile
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    error: InputError | None = None

    def add(self, suffix: str, member: tarfile.TarInfo) -> None:
        """Take a member in; a second one of a suffix makes the sample ambiguous, and it is refused."""
        if suffix in self.members:
            self.error = InputError(f"expected one .{suffix} in the sample, got another: {member.name}", code="row_invalid")
        self.members[suffix] = member

    def load(self, options: SourceOptions) -> Row:
        """Read the sample.

        Raises:
            InputError: a member is missing, no regular file or too large, or the columns cannot be accepted.
        """
        if self.error is not None:
            raise self.error
        _check_key(self.key)
        columns = accept_download(self._columns())
        suffix = next((suffix for suffix in IMAGE_SUFFIXES if suffix in self.members), None)
        if suffix is None:
            suffixes = ", ".join(sorted(self.members))
            raise InputError(f"expected an image ({', '.join(IMAGE_SUFFIXES)}), got {suffixes}", code="image_missing")
        return build_row(columns, self.key, options, self._read(suffix, options.max_bytes))

    def _columns(self) -> dict[str, Any]:
        columns = _parse_columns(self._read("json", MAX_COLUMNS_BYTES)) if "json" in self.members else {}
        if "txt" in self.members and not columns.get("caption"):
            columns["caption"] = self._read("txt", MAX_COLUMNS_BYTES).decode("utf-8", errors="replace")
        return columns

    def _read(self, suffix: str, max_bytes: int) -> bytes:
        member = self.members[suffix]
        if not member.isreg() or member.issparse():
            raise InputError(f"expected a regular file in the tar, got another kind: {member.name}", code="member_kind")
        file = cast("BinaryIO", self.tar.fileobj)
        file.seek(member.offset_data)
        data = file.read(min(member.size, max_bytes + 1))
        if suffix in {"json", "txt"} and len(data) > max_bytes:
            raise InputError(f"expected at most {max_bytes:,} bytes in {member.name}, got {member.size:,}", code="row_invalid")
        if len(data) < min(member.size, max_bytes + 1):
            raise InputError(f"the tar ends within {member.name}", code="source_damaged")
        return data


def _parse_columns(data: bytes) -> dict[str, Any]:
    try:
        columns = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"row is no JSON: {error}", code="row_invalid") from error
    if not isinstance(columns, dict):
        raise InputError(f"expected a JSON object a row, got {type(columns).__name__}", code="row_invalid")
    return columns


def _check_key(key: str) -> None:
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"expected a key below the tar's root, got {key!r}", code="path_outside")


def split_member_name(name: str) -> tuple[str, str]:
    """Split a member's name into its sample's key and its suffix.

    >>> split_member_name("./part.1/000.seg.png")
    ('part.1/000', 'seg.png')
    """
    folder, slash, file = name.removeprefix("./").rpartition("/")
    base, _, suffix = file.partition(".")
    return f"{folder}{slash}{base}", suffix.lower()


def _read_samples(path: Path) -> Iterator[_Sample]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield from _group(path, tar)
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path.name} is no plain tar file: {error}", code="source_damaged") from error


def _group(path: Path, tar: tarfile.TarFile) -> Iterator[_Sample]:
    sample: _Sample | None = None
    problem: InputError | None = None
    try:
        for member in _read_members(tar):
            key, suffix = split_member_name(member.name)
            if sample is None or sample.key != key:
                if sample is not None:
                    yield sample
                sample = _Sample(key, tar)
            sample.add(suffix, member)
        problem = _find_bad_end(tar)
    except (OSError, ValueError, tarfile.TarError) as error:
        problem = InputError(f"the tar is damaged or ends early: {error}", code="source_damaged")
    if sample is not None:
        yield sample
    if problem is not None:
        yield _Sample(f"{path.name}, byte {tar.offset}", tar, error=problem)


def _read_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    offset = tar.offset
    while (member := tar.next()) is not None:
        # A negative size would lead back to where the tar has been read already (CVE-2025-8194).
        if member.size < 0 or tar.offset < offset:
            raise tarfile.ReadError("a member has a negative size")
        offset = tar.offset
        # The list that tarfile keeps of all members would grow with the tar.
        tar.members.clear()  # type: ignore[attr-defined]
        if not member.isdir():
            yield member


def _find_bad_end(tar: tarfile.TarFile) -> InputError | None:
    """Say what is wrong with the end of a tar: tarfile stops in silence at a header that it cannot read."""
    file = cast("BinaryIO", tar.fileobj)
    file.seek(tar.offset)
    # POSIX.1-2017, pax, "ustar Interchange Format": an archive ends with blocks of zeros.
    if file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE):
        return None
    return InputError("expected the tar to end with a block of zeros; samples may be missing", code="source_damaged")


def _has_tars(path: Path) -> bool:
    return any(path.glob("*.tar")) if path.is_dir() else path.suffix == ".tar"


KIND = SourceKind(WebDataset.kind, WebDataset, _has_tars)
