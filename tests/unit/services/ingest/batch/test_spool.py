"""Bytes that wait for their reader in a file."""

from pathlib import Path

from services.ingest.batch.spool import READ_BYTES, Spool


def test_bytes_come_out_as_they_went_in(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1024
    with Spool(tmp_path) as spool:
        for start in range(0, len(data), 1000):
            spool.write(data[start : start + 1000])
        parts = list(iter(spool.read, b""))
    assert b"".join(parts) == data
    assert max(map(len, parts)) == READ_BYTES


def test_what_was_read_is_followed_by_what_is_written_then(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.write(b"first")
        assert (spool.read(), spool.read()) == (b"first", b"")
        spool.write(b"second")
        assert spool.read() == b"second"
    assert list(tmp_path.iterdir()) == []
