"""`sleeve gate check` and `sleeve gate evidence`: one image or a folder of them, and what a decision rests on as a picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.table import Table

from services.output_gate.checks.answers import build_answer, show_check
from services.output_gate.checks.evidence_image import draw_evidence
from services.output_gate.checks.folder import check_files, open_run, verify_no_archive
from services.output_gate.checks.schemas import CheckAnswer
from services.output_gate.checks.service import check_generation
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from shared.command_line.console import console, progress
from shared.command_line.options import AsJson, read_bytes, show_json
from shared.command_line.workspace import open_home
from shared.errors import InputError
from shared.files import save_atomically
from shared.ledger.body_fields import MEANINGS, UNSPECIFIED
from shared.records.models import load_model_record
from shared.vision.image_decoding import decode_image
from shared.workspace import Workspace

# Exit statuses, so that a release script can branch: clear, flag, undecided. Errors are 1, usage 2 (typer's own).
EXIT_STATUS = {"clear": 0, "flag": 3, "undecided": 4}
# Flagged files shown in the terminal; the results file has all.
SHOWN_FLAGS = 20


def check(
    path: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="The generation, or a folder of them.")],
    model: Annotated[str, typer.Option(help="Name or id of the model that made it.")],
    receipt: Annotated[Path | None, typer.Option(help="Write the receipt of one check to this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Of a folder: write a line of JSON for each file here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check one image, or every file of a folder. Exit status 0 clear, 3 flag, 4 undecided.

    Of a folder: 0 where every file is an image and clear, 3 where one is flagged, else 4: one is undecided, or no image.
    A run that was killed goes on when it is started again with the same results file.
    """
    if path.is_dir():
        if out is None or receipt is not None:
            raise InputError("a folder needs --out FILE, and has no single receipt", code="folder_options")
        _check_folder(path, model, out, as_json=as_json)
    if out is not None:
        raise InputError(f"--out is for a folder, got {path}", code="folder_options")
    workspace = open_home()
    data = _read_checked(workspace, path, model)
    # Only now what brings torch: bad input is answered at once.
    opened = open_gate(workspace, patience_seconds=None)
    try:
        answer = build_answer(workspace, check_generation(opened, model, data))
    finally:
        opened.close()
    if receipt is not None:
        save_atomically(receipt, answer.receipt.encode())
    show_json(answer) if as_json else show_answer(answer)
    raise typer.Exit(EXIT_STATUS[answer.decision])


def _read_checked(workspace: Workspace, file: Path, model: str) -> bytes:
    data = read_bytes(file)
    verify_no_archive(data)
    decode_image(data, workspace.limits)
    with workspace.reading() as session:
        load_model_record(session, model)
    return data


def _check_folder(folder: Path, model_name: str, out: Path, *, as_json: bool) -> None:
    opened = open_gate(open_home(), patience_seconds=None)
    try:
        summary = _run(opened, folder, model_name, out)
    finally:
        opened.close()
    if as_json:
        console.print_json(data=summary)
    else:
        show_summary(summary, out)
    raise typer.Exit(folder_exit_status(summary["decisions"]))


def _run(gate: Gate, folder: Path, model_name: str, out: Path) -> dict[str, Any]:
    with gate.workspace.reading() as session:
        model = load_model_record(session, model_name)
    begun = monotonic()
    with open_run(folder, out, model) as run, progress() as bars:
        lines = list(run.finished)
        task = bars.add_task("checks", total=len(lines) + len(run.remaining), completed=len(lines))

        def on_lines(new: Sequence[dict[str, Any]]) -> None:
            lines.extend(new)
            bars.advance(task, len(new))

        check_files(gate, model, run, on_lines)
        decided = len(run.remaining)
    gate.workspace.log.integrate()
    seconds = monotonic() - begun
    return {
        "files": len(lines),
        "decided_before": len(lines) - decided,
        "seconds": round(seconds, 2),
        "checks_a_second": round(decided / seconds, 1),
        "decisions": dict(Counter(line["decision"] for line in lines)),
        "reasons": dict(Counter(f"{line['decision']}: {line['reason']}" for line in lines)),
        "flagged": [line for line in lines if line["decision"] == "flag"],
    }


def folder_exit_status(decisions: Mapping[str, int]) -> int:
    """Return the exit status of a folder: the one that a release has to stop for comes first.

    >>> [folder_exit_status(counts) for counts in ({"clear": 2}, {"clear": 1, "refused": 1}, {"undecided": 1, "flag": 1})]
    [0, 4, 3]
    """
    if decisions.get("flag"):
        return EXIT_STATUS["flag"]
    return EXIT_STATUS["clear"] if set(decisions) <= {"clear"} else EXIT_STATUS["undecided"]


def show_summary(summary: Mapping[str, Any], out: Path) -> None:
    """Print how many files came to what, and the flagged ones."""
    table = Table(
        "outcome", "files", title=f"{summary['files']:,} files, {summary['decided_before']:,} of them decided before"
    )
    for reason, count in sorted(summary["reasons"].items()):
        table.add_row(reason, f"{count:,}")
    console.print(table)
    if summary["flagged"]:
        named = Table("flagged file", "most similar item", "kind", "licence", "p-value", "check")
        for line in summary["flagged"][:SHOWN_FLAGS]:
            match = line["match"]
            item = f"{match['dataset']} / {match['source_key']}"
            kind = line.get("kind") or UNSPECIFIED
            named.add_row(line["file"], item, kind, match["licence"], f"{line['p_value']:.4f}", line["check"])
        console.print(named)
    console.print(f"{summary['checks_a_second']} checks a second; a line for each file in {out}")


def show_answer(answer: CheckAnswer) -> None:
    """Print an answer as a table."""
    table = Table(show_header=False, title=f"check {answer.id}")
    table.add_row("decision", f"{answer.decision} ({answer.reason})")
    if answer.match is not None and answer.metrics is not None:
        owners = "; ".join(f"{owner.name} ({owner.role}, {owner.basis})" for owner in answer.match.owners) or "none known"
        table.add_row("most similar item", f"{answer.match.dataset} / {answer.match.source_key}")
        table.add_row("kind of match", f"{answer.kind or UNSPECIFIED}: {MEANINGS[answer.kind or UNSPECIFIED]}")
        table.add_row("presumed owner", owners)
        contesting = [owner.name for owner in answer.cluster_owners if owner.contests]
        if contesting:
            table.add_row("near duplicates name", "; ".join(contesting))
        table.add_row("licence", answer.match.licence)
        table.add_row(f"score by rule {answer.rule}, threshold", f"{answer.score:.3f}, {answer.threshold:.3f}")
        others = [f"{rule.rule} {rule.verdict.replace('_', ' ')}" for rule in answer.rules if rule.rule != answer.rule]
        table.add_row("other rules", ", ".join(others))
        table.add_row("p-value", f"{answer.p_value:.4f}, control of {answer.control_size}")
        table.add_row("false-positive rate", f"{answer.attained_rate:.4f} attained, {answer.requested_rate} asked for")
        named = [(k.upper(), v) for k, v in answer.metrics.model_dump().items() if k != "identical"]
        table.add_row("suite", ", ".join(f"{k} {'∞' if v is None else f'{v:.3f}'}" for k, v in named))
    table.add_row("policy", answer.policy)
    table.add_row("manifest root", answer.manifest_root)
    table.add_row("milliseconds", ", ".join(f"{step} {value:.1f}" for step, value in answer.timings_ms.items()))
    console.print(table)


def evidence(
    check_id: Annotated[str, typer.Argument(help="Id of the check.")],
    to: Annotated[Path, typer.Option(help="Write the picture (PNG) to this file.")],
) -> None:
    """Draw what a check rests on: generation, matched item, one laid over the other, and where they agree and differ."""
    workspace = open_home()
    answer = show_check(workspace, check_id)
    save_atomically(to, draw_evidence(workspace, check_id))
    console.print(f"{to} shows check {check_id}: {answer.decision}")
