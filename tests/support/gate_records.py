"""Checks on record without a trained model: items, calibration, gate and policy are real, only the scores are given."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from fastapi.testclient import TestClient

from services.output_gate.checks.admission import KeySlot, admit
from services.output_gate.checks.judgement import CheckEvidence
from services.output_gate.checks.recording import record_together
from services.output_gate.gate import Gate
from services.output_gate.opening import open_gate
from services.output_gate.policy.policy import PolicyContent, parse_policy
from services.output_gate.results.schemas import KindFigures, Metrics, RuleFinding
from services.server.app import create_app
from shared.ledger.body_fields import MatchKind
from shared.matching.calibration.decision import RuleScore, decide_by_any
from shared.matching.calibration.null_distribution import ControlScores
from shared.records.checks import Check
from shared.records.items import Item
from shared.records.manifests import Manifest, seal_manifest
from shared.records.models import Calibration, Model
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.memory_gate import add_model

# 999 control scores from 0.000 to 0.998, by both rules: the line at 1 in 1,000 is 0.998, the band's at 1 in 200 is 0.994.
CONTROL = tuple(at / 1000 for at in range(999))
FLAGGED, BORDERLINE, CLEAR = 0.9985, 0.996, 0.5
METRICS = Metrics(ssim=0.9, rmse=0.1, psnr=20.0, fsim=0.9, sre=50.0, sam=1.0, uiq=0.9, identical=False)
KIND_FIGURES = KindFigures(
    agreement=0.97, contradicted=0.0, recoloured=0.0, shown=1.0, turned_degrees=0.2, scale=1.0, mirrored=False
)
TARIFF = {"currency": "EUR", "amount_minor": 10_001}

# Of generations, each unlike the others.
_PICTURES = count()

POLICY: dict[str, Any] = {
    "name": "default",
    "version": 7,
    "rule": "fused",
    "neighbours": 1000,
    "false_positive_rate": 0.001,
    "borderline": {"false_positive_rate": 0.005},
    "shares": "equal",
    "tariff": TARIFF,
    "waiver_reasons": ["licensed", "owner_not_found"],
}


def policy(**changed: Any) -> PolicyContent:
    """A policy with a band and a tariff; None takes a field away."""
    fields = POLICY | changed
    return parse_policy({name: value for name, value in fields.items() if value is not None})


@dataclass
class GateWorld:
    """A gate under a policy, a model that it can decide about, and the items of that model's manifest."""

    workspace: Workspace
    gate: Gate
    model: Model
    manifest: Manifest
    calibration: ControlScores
    items: list[Item]

    def decided(
        self,
        score: float,
        at: int = 0,
        others: Mapping[str, float] | None = None,
        kind: MatchKind | None = None,
        cluster: Sequence[Item] = (),
    ) -> Check:
        """Record a check whose picture got a score.

        Args:
            score: by the policy's rule.
            at: the place of the item that it is most like.
            others: scores by other rules.
            kind: of the match, as the copy detector tells it.
            cluster: near duplicates of that item.
        """
        gate = self.gate.under_policy_in_force()
        by_rule = {"ssim": score, "ssim-turned": score, "works": score, "fused": score} | dict(others or {})
        content, rules = gate.content, gate.content.deciding_rules
        judged = [RuleScore(by_rule[rule], self.calibration.null(rule)) for rule in rules]
        chosen, decision = decide_by_any(judged, content.flag_bound, content.borderline_bound)
        evidence = CheckEvidence(
            decision=decision,
            rule=rules[chosen],
            item=self.items[at].id,
            cluster=(self.items[at].id, *(item.id for item in cluster)),
            rules=tuple(
                RuleFinding(
                    rule=rule,
                    verdict="fired" if value > 0.998 else "not_fired",
                    score=value,
                    threshold=0.998,
                    fires="above",
                    reason=None,
                    item=self.items[at].id,
                    source="a test",
                    kind=kind if rule == "fused" else None,
                )
                for rule, value in by_rule.items()
            ),
            kind_figures=KIND_FIGURES if rules[chosen] == "fused" and kind is not None else None,
            metrics=METRICS,
            control_size=len(CONTROL),
            calibration_sha256=self.calibration.sha256,
        )
        generation = admit(gate, self.model, png(1000 + next(_PICTURES)), KeySlot(None, ""))
        assert not isinstance(generation, Check)
        [check] = record_together(gate, self.model, [generation], [evidence])
        return check


def build_world(workspace: Workspace, content: PolicyContent | None = None, **changed: Any) -> GateWorld:
    """Register three items, seal them, record a model and its calibration, and open the gate; `changed` is of all items."""
    items = [register(workspace, f"{number}.png", png(number), **changed) for number in range(3)]
    pipeline = {"neighbours": 1000, "embedder_sha256": "e" * 64}
    calibration = ControlScores(dict.fromkeys(("ssim", "ssim-turned", "works", "fused"), CONTROL), pipeline)
    with workspace.writing() as session:
        manifest = seal_manifest(session, "small", "train", [item.id for item in items])
        model = add_model(session, manifest)
        session.add(
            Calibration(
                model_id=model.id,
                control_manifest_id=manifest.id,
                pipeline=pipeline,
                scores={rule: list(scores) for rule, scores in calibration.by_rule.items()},
                sha256=calibration.sha256,
            )
        )
    return GateWorld(workspace, open_gate(workspace, content or policy()), model, manifest, calibration, items)


@contextmanager
def gate_client(world: GateWorld) -> Iterator[TestClient]:
    """A client of the whole application over the world; its background threads run as in a server."""
    with TestClient(create_app(world.workspace, world.gate), base_url="http://127.0.0.1") as opened:
        yield opened
