"""`sleeve verify`: what people see, and the exit status that scripts see."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.commands.main import main
from shared.db import open_engine
from shared.ledger.log import Log
from shared.ledger.note import Signer
from shared.ledger.repository import insert_entries

Append = Callable[[int], list[int]]
Sleeve = Callable[..., tuple[int, str]]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


@pytest.fixture
def sleeve(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sleeve]:
    """Run a command as the shell would; return its exit status and all that it prints."""
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "home"))

    def run(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["sleeve", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    yield run
    structlog.reset_defaults()  # the command logs to this test's standard error, which ends with it


@pytest.fixture
def grown(log: Log, append: Append, tmp_path: Path) -> list[Path]:
    """Checkpoint files of a log at sizes 5, 300 and 600."""
    files = []
    for count in (5, 295, 300):
        append(count)
        files.append(tmp_path / f"{count}.checkpoint")
        files[-1].write_text(log.integrate().note)
    return files


def fork(engine: Engine, folder: Path, signer: Signer, template: Path, size: int) -> Log:
    """A log of the same key with other entries."""
    other = open_engine(f"sqlite:///{shutil.copy(template, folder.parent / 'fork.db')}")
    with Session(other) as session:
        insert_entries(session, [f"other {number}".encode() for number in range(size)])
        session.commit()
    forked = Log(other, folder, signer)
    forked.integrate()
    other.dispose()
    return forked


def test_a_log_that_holds_and_one_that_does_not(log: Log, append: Append, sleeve: Sleeve) -> None:
    append(300)
    root = log.integrate().root.hex()
    assert sleeve("log", log.folder, "--key", log.vkey) == (0, f"valid: 300 entries in example.com/log, root {root}\n")
    (log.folder / "tile/0/000").write_bytes(bytes(8192))
    status, said = sleeve("log", log.folder, "--key", log.vkey)
    assert status == 1
    assert said.startswith("error: tile/0/000: expected hash 0 to be ")


def test_the_home_is_what_is_verified_by_default(log: Log, append: Append, sleeve: Sleeve, tmp_path: Path) -> None:
    status, said = sleeve("log")
    assert (status, said.startswith("error: expected a verifier key or a file that holds one")) == (1, True)
    append(3)
    log.integrate()
    shutil.copytree(log.folder, tmp_path / "home" / "log")
    (tmp_path / "home" / "log.vkey").write_text(log.vkey + "\n")
    assert sleeve("log")[0] == 0


def test_a_log_that_is_not_there_is_not_valid(log: Log, sleeve: Sleeve, tmp_path: Path) -> None:
    status, said = sleeve("log", tmp_path / "nowhere", "--key", log.vkey)
    assert (status, "checkpoint: expected this file in" in said) == (1, True)


def test_a_receipt_in_another_spelling_is_not_valid(log: Log, append: Append, sleeve: Sleeve, tmp_path: Path) -> None:
    file = tmp_path / "receipt"
    text = log.receipt(append(3)[1])
    file.write_bytes(text.encode())
    status, said = sleeve("receipt", file, "--key", log.vkey)
    assert (status, said) == (0, "valid: entry 1 of 3 in example.com/log, test.made at 2026-01-31T12:00:00.000Z\n")
    file.write_bytes(text.replace("\n", "\r\n").encode())
    assert sleeve("receipt", file, "--key", log.vkey)[0] == 1


def test_checkpoints_that_continue_each_other_hold(log: Log, grown: list[Path], sleeve: Sleeve) -> None:
    for old, new in [(0, 0), (0, 1), (0, 2), (1, 2)]:
        status, said = sleeve("consistency", grown[old], grown[new], "--log", log.folder, "--key", log.vkey)
        assert (status, said.startswith("valid: example.com/log grew from ")) == (0, True)


def test_a_newer_checkpoint_does_not_continue_into_an_older(log: Log, grown: list[Path], sleeve: Sleeve) -> None:
    status, said = sleeve("consistency", grown[1], grown[0], "--log", log.folder, "--key", log.vkey)
    assert (status, "expected a size of at least 300, got 5" in said) == (1, True)


@pytest.mark.parametrize("size", [300, 500])
def test_a_forked_checkpoint_is_refused_whatever_copy_the_proof_comes_from(
    log: Log,
    engine: Engine,
    grown: list[Path],
    sleeve: Sleeve,
    signer: Signer,
    sqlite_template: Path,
    tmp_path: Path,
    size: int,
) -> None:
    forked = fork(engine, tmp_path / "fork", signer, sqlite_template, size)
    for folder in (log.folder, forked.folder):
        status, said = sleeve("consistency", grown[1], forked.folder / "checkpoint", "--log", folder, "--key", log.vkey)
        assert (status, "forked" in said) == (1, True)
    assert ("two roots are signed for size 300" in said) == (size == 300)


def test_a_checkpoint_of_another_key_is_refused(log: Log, grown: list[Path], sleeve: Sleeve) -> None:
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    for files in ([grown[0], grown[1]], [grown[1], grown[0]]):
        status, said = sleeve("consistency", *files, "--log", log.folder, "--key", other)
        assert (status, "expected a signature of PeterNeumann" in said) == (1, True)


def test_a_damaged_copy_gives_no_proof(log: Log, grown: list[Path], sleeve: Sleeve) -> None:
    (log.folder / "tile/0/000").write_bytes(bytes(8192))
    status, said = sleeve("consistency", grown[0], grown[2], "--log", log.folder, "--key", log.vkey)
    assert (status, "got no proof of it from" in said) == (1, True)
    (log.folder / "tile/0/000").write_bytes(bytes(8191))
    status, said = sleeve("consistency", grown[0], grown[2], "--log", log.folder, "--key", log.vkey)
    assert (status, "tile/0/000: expected 8192 bytes, got 8191" in said) == (1, True)


def test_a_checkpoint_file_that_is_not_there_is_named(log: Log, grown: list[Path], sleeve: Sleeve, tmp_path: Path) -> None:
    status, said = sleeve("consistency", grown[0], tmp_path / "none", "--log", log.folder, "--key", log.vkey)
    assert (status, "none cannot be read" in said) == (1, True)
