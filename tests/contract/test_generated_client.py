"""A client that other people's tool generates from docs/api/openapi.json makes the main calls of a running server.

The tool is installed from a package registry: where none can be reached, the tests are skipped and say so; set
SLEEVE_TEST_REQUIRE_INSTALL=1 to make that a failure.
"""

import base64
import json
import os
from pathlib import Path

import pytest

from services.server.app import create_app
from shared.workspace import Workspace
from tests.support.base_environment import InstallationError
from tests.support.factories import png
from tests.support.gate_records import build_world
from tests.support.generated_client import generate_client, run_with_client
from tests.support.live_server import serve
from tests.support.paths import ROOT

# Media types that the tool has no form for; JSON, forms and bytes stand beside each.
UNSUPPORTED = {"application/jsonl", "application/x-ndjson", "application/toml", "image/png"}

CALLS = """
import base64, io, json, sys
from client import Client
from client.api.checks import create_check, get_check, list_checks_made
from client.api.completeness import get_completeness
from client.api.items import get_item, get_items, post_amendment, register_batch, register_item
from client.api.manifests import create_manifest
from client.models import Amendment, BodyRegisterItem, CheckedImage, CheckForm, CheckRequest, SealRequest, SealRequestPurpose
from client.types import File

url, picture = sys.argv[1], base64.b64decode(sys.argv[2])
client = Client(base_url=url)
record = {"dataset": "works", "source_key": "generated.png", "acquirer": "Data team", "licence": "CC0-1.0"}
answers = {}

def call(name, endpoint, *arguments, **named):
    response = endpoint.sync_detailed(*arguments, client=client, **named)
    answers[name] = int(response.status_code)
    return response

form = BodyRegisterItem(image=File(io.BytesIO(picture), "generated.png", "image/png"), record=json.dumps(record))
item = call("register", register_item, body=form).parsed.item.id
line = json.dumps(record | {"source_key": "line.png", "image": sys.argv[2]}).encode()
rows = call("batch", register_batch, body=File(io.BytesIO(line))).content.decode().splitlines()
assert json.loads(rows[-1]).get("registered", 1) == 1, rows
assert call("item", get_item, item).parsed.sha256
assert call("items", get_items, dataset="works").parsed.items
assert call("amend", post_amendment, item, body=Amendment(reason="a title was found", title="Title")).parsed.title == "Title"
sealed = SealRequest(name="generated", purpose=SealRequestPurpose.TRAIN, items=[item])
assert call("seal", create_manifest, body=sealed).parsed.size == 1
image = File(io.BytesIO(picture), "generated.png", "image/png")
check = call("check by form", create_check, body=CheckForm(image=[image], model="model-a")).parsed
assert call("show check", get_check, check.id).parsed.decision == check.decision
several = CheckRequest(model="model-a", images=[CheckedImage(data=sys.argv[2], name="a"), CheckedImage(data=sys.argv[2])])
assert len(call("checks by JSON", create_check, body=several).parsed.checks) == 2
assert call("checks", list_checks_made, model="model-a").parsed.items
assert call("completeness", get_completeness).parsed.complete
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The Python that can import the client, and what its generator printed; workers of one run generate it once."""
    folder = tmp_path_factory.getbasetemp()
    if test_run := os.environ.get("PYTEST_XDIST_TESTRUNUID"):
        folder = folder.parent / test_run
    try:
        return generate_client(folder / "generated")
    except InstallationError as error:
        if os.environ.get("SLEEVE_TEST_REQUIRE_INSTALL"):
            pytest.fail(str(error))
        pytest.skip(f"the generator cannot be installed here: {error}")


def test_every_operation_is_generated(generated: tuple[Path, str]) -> None:
    python, printed = generated
    assert "will not be generated" not in printed
    assert "conflicting" not in printed
    assert "Failure to process" not in printed
    document = json.loads((ROOT / "docs" / "api" / "openapi.json").read_text(encoding="utf-8"))
    operations = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    modules = {file.stem for file in (python.parents[2] / "client" / "api").rglob("*.py")}
    assert operations <= modules
    unsupported = {
        line.split()[-1].rstrip(")") for line in printed.splitlines() if line.startswith("Unsupported content type")
    }
    assert unsupported <= UNSUPPORTED


@pytest.mark.timeout(600)
def test_a_generated_client_makes_the_main_calls(generated: tuple[Path, str], workspace: Workspace) -> None:
    world = build_world(workspace)
    with serve(create_app(world.workspace, world.gate)) as url:
        printed = run_with_client(generated[0], CALLS, url, base64.b64encode(png(4_242)).decode())
    statuses = json.loads(printed)
    assert len(statuses) == 11
    created = {"register", "amend", "seal", "check by form", "checks by JSON"}
    assert statuses == {name: 201 if name in created else 200 for name in statuses}
