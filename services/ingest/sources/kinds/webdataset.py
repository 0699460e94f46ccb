"""WebDataset: tar files in which consecutive members with one base name are one sample, as img2dataset writes them.

Rules, in order:

1. A sample is its pictures with its columns in `<key>.json` and, where it has one, a caption in `<key>.txt`. The key is
   everything before the first dot of the member's file name; it is a name and never a path to write to.
2. A picture is known by its content. The first of a sample has the sample's key, a further one its member's whole name.
3. The tar is read from front to end, one sample in memory at a time; nothing is extracted. Only plain, uncompressed tars are
   opened, and only regular files in them are read.
4. What the downloader says of a sample is honoured, see `columns.accept_download`.
5. A tar that does not end as one must is an error of its last row: samples may be missing.
6. Two tars may use one key. Then both keys carry the tar's name; what has the bare key already keeps it.

Source: https://github.com/webdataset/webdataset#the-webdataset-format; img2dataset's README, "Output format".
"""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from services.ingest.bulk.rows import BadRow, NoPicture, Row, refuse
from services.ingest.sources.columns import accept_download, build_row
from services.ingest.sources.file_contents import judge_content
from services.ingest.sources.file_trees import FolderTree
from services.ingest.sources.metadata_files import parse_line
from services.ingest.sources.repeated_keys import RepeatedKeys
from services.ingest.sources.source import SourceKind, SourceOptions
from services.ingest.sources.tables import holds_images
from services.ingest.sources.unnamed_files import find_unnamed
from shared.errors import InputError, SleeveError
from shared.regular_files import open_regular
from shared.vision.image_formats import HEAD_BYTES

# The order in which a sample's pictures are taken, as earlier versions took them; any other comes behind these.
IMAGE_SUFFIXES = ("png", "jpg", "jpeg", "webp")
# Columns and caption of a sample.
TEXT_SUFFIXES = ("json", "txt")
# Far above any caption or EXIF dump; a row's entry in the log has to fit in 65,535 bytes anyway.
MAX_COLUMNS_BYTES = 2**20
# Counting reads every header, 25 to 50 µs each: for what is larger than this, progress is shown without a total.
MAX_COUNTED_BYTES = 2**30
ENDINGS = (".tar",)


@dataclass(frozen=True)
class WebDataset:
    """A source of this kind: one tar file, or the tar files of a folder in the order of their names."""

    path: Path
    options: SourceOptions
    kind = "webdataset"

    def files(self) -> list[Path]:
        """The files that decide which rows there are, and in which order."""
        return sorted(self.path.rglob("*.tar")) if self.path.is_dir() else [self.path]

    def count(self) -> int | None:
        """Count the samples from the headers, where that is quick."""
        if sum(path.stat().st_size for path in self.files()) > MAX_COUNTED_BYTES:
            return None
        return sum(1 for _ in self._samples())

    def rows(self, skip: int = 0) -> Iterator[Row | BadRow | NoPicture]:
        """Yield the rows, but for the first `skip`; then a line for each file beside the tars."""
        repeated = self._repeated
        for sample in self._samples():
            if skip and (count := sample.count()) <= skip:
                skip -= count
                continue
            yield from islice(sample.rows(self.options, repeated), skip, None)
            skip = 0
        if self.path.is_dir():
            yield from islice(find_unnamed(FolderTree(self.path), self._is_read, "a tar"), skip, None)

    def _is_read(self, name: str) -> bool:
        """Say whether a file beside the tars is one of them, or what img2dataset writes beside each."""
        if name.endswith(".tar"):
            return True
        return name.endswith(".parquet") and not holds_images(self.path / name)

    @cached_property
    def _repeated(self) -> RepeatedKeys:
        """The keys that several tars use."""
        paths = self.files()
        keys = (sample.key for path in paths for sample in _read_samples(path, "")) if len(paths) > 1 else ()
        return RepeatedKeys(keys)

    def _samples(self) -> Iterator["_Sample"]:
        for path in self.files():
            shard = path.relative_to(self.path).with_suffix("").as_posix() if self.path.is_dir() else path.stem
            yield from _read_samples(path, shard)


@dataclass
class _Sample:
    """The members of one sample, by suffix, and the tar that they are read from while it stands there."""

    key: str
    tar: tarfile.TarFile
    shard: str = ""
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    error: InputError | None = None

    def add(self, suffix: str, member: tarfile.TarInfo) -> None:
        """Take a member in; a second one of a suffix makes the sample ambiguous, and it is refused."""
        if suffix in self.members:
            self.error = InputError(f"expected one .{suffix} in the sample, got another: {member.name}", code="row_invalid")
        self.members[suffix] = member

    def count(self) -> int:
        """Count the rows of the sample; of its pictures only heads are read."""
        try:
            return len(self._parts()[1])
        except SleeveError:
            return 1

    def _parts(self) -> tuple[dict[str, Any], list[str]]:
        """Return the columns, and the suffixes of the pictures.

        Raises:
            InputError: the sample is refused.
        """
        if self.error is not None:
            raise self.error
        _check_key(self.key)
        return self._columns(), self._pictures()

    def rows(self, options: SourceOptions, repeated: RepeatedKeys) -> Iterator[Row | BadRow]:
        """Yield a row for each picture of the sample, or what is wrong with the sample."""
        try:
            columns, pictures = self._parts()
        except SleeveError as error:
            yield refuse(self.key, error)
            return
        for position, suffix in enumerate(pictures):
            key = self.key if position == 0 else f"{self.key}.{suffix}"
            try:
                data = self._read(suffix, options.max_bytes)
                yield self._build(columns, key, options, data, is_repeated=self.key in repeated)
            except SleeveError as error:
                yield refuse(key, error)

    def _build(self, columns: Mapping[str, Any], key: str, options: SourceOptions, data: bytes, *, is_repeated: bool) -> Row:
        long_key = f"{self.shard}/{key}"
        if is_repeated:
            return build_row(columns, long_key, options, data, earlier=(key, columns))
        return build_row(columns, key, options, data, earlier=(key, columns), spare_key=long_key)

    def _pictures(self) -> list[str]:
        """Return the suffixes of the sample's pictures, the first of which stands for it.

        Raises:
            InputError: it has none, or a member that cannot be read.
        """
        ordered = [suffix for suffix in IMAGE_SUFFIXES if suffix in self.members]
        others = [suffix for suffix in self.members if suffix not in IMAGE_SUFFIXES and suffix not in TEXT_SUFFIXES]
        pictures = ordered + [suffix for suffix in others if self._is_picture(suffix)]
        if not pictures:
            suffixes = ", ".join(sorted(self.members))
            raise InputError(f"expected an image in the sample, got members {suffixes}", code="image_missing")
        return pictures

    def _is_picture(self, suffix: str) -> bool:
        member = self.members[suffix]
        if not member.isreg() or member.issparse():
            return True  # and is refused as what it is
        content = judge_content(member.name, self._read(suffix, HEAD_BYTES))
        return content in {"picture", "damaged picture"}

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if "json" in self.members:
            parsed = parse_line(self._read("json", MAX_COLUMNS_BYTES))
            if isinstance(parsed, InputError):
                raise parsed
            columns = accept_download(parsed)
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
        if suffix in TEXT_SUFFIXES and len(data) > max_bytes:
            raise InputError(f"expected at most {max_bytes:,} bytes in {member.name}, got {member.size:,}", code="row_invalid")
        if len(data) < min(member.size, max_bytes + 1):
            raise InputError(f"the tar ends within {member.name}", code="source_damaged")
        return data


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


def _read_samples(path: Path, shard: str) -> Iterator[_Sample]:
    try:
        with open_regular(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _group(path, tar, shard)
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path.name} is no plain tar file: {error}", code="source_damaged") from error


def _group(path: Path, tar: tarfile.TarFile, shard: str) -> Iterator[_Sample]:
    sample: _Sample | None = None
    problem: InputError | None = None
    try:
        for member in _read_members(tar):
            key, suffix = split_member_name(member.name)
            if sample is None or sample.key != key:
                if sample is not None:
                    yield sample
                sample = _Sample(key, tar, shard)
            sample.add(suffix, member)
        problem = _find_bad_end(tar)
    except (OSError, ValueError, tarfile.TarError) as error:
        problem = InputError(f"the tar is damaged or ends early: {error}", code="source_damaged")
    if sample is not None:
        yield sample
    if problem is not None:
        yield _Sample(f"{path.name}, byte {tar.offset}", tar, shard, error=problem)


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
    return any(path.rglob("*.tar")) if path.is_dir() else path.suffix in ENDINGS


KIND = SourceKind(WebDataset.kind, WebDataset, _has_tars, endings=ENDINGS)
