"""The demo's last act: the best copy and a held-out face go to the gate over REST, and the receipts are verified offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.audit.reports.gallery import picture_uri
from services.audit.sampling.sample import load_samples
from services.demo.gate_client import post_check, running_server
from services.demo.pictures import encode_png
from shared.files import save_atomically
from shared.ledger.verify import verify_receipt
from shared.records.items import load_item
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.vision.views import view_to_image
from shared.workspace import Workspace


def ask_gate(
    settings: Settings,
    workspace: Workspace,
    audits: Sequence[tuple[Any, dict[str, Any], Path]],
    probe: str,
    receipts: Path,
) -> list[dict[str, Any]]:
    """Ask the gate about the small model's best copy and about a face that no model has seen.

    Args:
        settings: of the demo.
        workspace: of the demo.
        audits: the small slice's audit first.
        probe: id of an item in no manifest.
        receipts: folder for the receipts.

    Returns:
        For each check its title, picture (data URI), answer, and that its receipt was verified.

    Raises:
        UnavailableError: the server did not start, or did not answer a check.
        VerificationError: a receipt does not hold.
    """
    _, content, folder = audits[0]
    best = max(content["generations"], key=lambda generation: generation["metrics"]["ssim"])
    copy = encode_png(view_to_image(load_samples(folder).images[best["index"]]))
    with workspace.reading() as session:
        held_out = workspace.blobs.load(load_item(session, probe).blob_sha256)
    subjects = (("best-copy", "The best copy", copy), ("held-out-face", "A face that the model never saw", held_out))
    model = content["model"]["name"]
    with running_server(settings) as client:
        answers = [post_check(client, model, data, f"demo-{name}") for name, _, data in subjects]
    checks = []
    for (name, title, data), answer in zip(subjects, answers, strict=True):
        save_atomically(receipts / f"{name}.tlog-proof", answer["receipt"].encode())
        verify_receipt(answer["receipt"], workspace.log.vkey)
        picture = picture_uri(decode_image(data, workspace.limits).pixels)
        checks.append({"subject": name, "title": title, "picture": picture, "answer": answer, "verified": True})
    return checks
