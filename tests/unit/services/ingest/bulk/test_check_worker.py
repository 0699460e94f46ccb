"""What goes through the pipes of a worker: frames, and answers that keep everything but the record."""

import io

import pytest

from services.ingest.bulk.check_worker import check_rows, dump_answer, load_answer, read_frame, write_frame
from shared.blobs import BlobStore
from shared.errors import InputError, UnavailableError
from shared.vision.image_limits import ImageLimits
from shared.workspace import Workspace
from tests.support.factories import png, registration


def test_frames_come_out_as_they_went_in() -> None:
    pipe = io.BytesIO()
    for frame in (b"one", b"", b"x" * 100_000):
        write_frame(pipe, frame)
    pipe.seek(0)
    assert [read_frame(pipe) for _ in range(4)] == [b"one", b"", b"x" * 100_000, None]


def test_a_frame_that_is_cut_off_is_the_end() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, b"some bytes")
    assert read_frame(io.BytesIO(pipe.getvalue()[:-1])) is None


def test_an_answer_is_read_back_whole(workspace: Workspace) -> None:
    limits: ImageLimits = workspace.limits
    blobs: BlobStore = workspace.blobs
    rows = [(registration("a.png"), png(1), ()), (registration("b.png"), b"words", ())]
    good, refused = results = check_rows(rows, limits, blobs)
    answer = load_answer(dump_answer(results), [record for record, _, _ in rows])
    assert answer[0] == good
    assert isinstance(refused, InputError)
    assert isinstance(answer[1], InputError)
    assert (answer[1].code, answer[1].message) == (refused.code, refused.message)


def test_bytes_that_cannot_be_stored_are_no_fault_of_the_rows() -> None:
    with pytest.raises(UnavailableError):
        load_answer(b'{"failed": "no space left"}', [])
