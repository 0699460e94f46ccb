"""What a JSON body hands in, and what it must not."""

import base64
import json
from typing import Any

import pytest

from services.output_gate.checks.submission import MAX_IMAGES, Submission, SubmittedImage, parse_json, prefers_async
from shared.errors import InputError

DATA = base64.b64encode(b"bytes").decode()


def parse(**fields: Any) -> Submission:
    return parse_json(json.dumps({"model": "m"} | fields).encode())


def test_one_image_and_several() -> None:
    assert parse(image=DATA) == Submission("m", (SubmittedImage(None, b"bytes"),), several=False)
    assert parse(images=[{"data": DATA, "name": "a\x00.png"}, {"data": "?"}]).images == (
        SubmittedImage("a.png", b"bytes"),
        SubmittedImage(None, None),
    )
    assert parse(image=DATA).only_data == b"bytes"
    with pytest.raises(InputError, match="base64"):
        _ = parse(image="?").only_data


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"image": DATA, "images": []},
        {"images": []},
        {"image": DATA, "more": 1},
        {"image": DATA, "model": ""},
        {"images": [{"data": DATA}] * (MAX_IMAGES + 1)},
    ],
)
def test_what_does_not_fit_is_refused_whole(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        parse(**fields)
    assert caught.value.code == "invalid_request"


def test_respond_async_is_found_among_preferences() -> None:
    assert prefers_async(["wait=10", "Respond-Async"])
    assert not prefers_async(["respond-later"])
