"""Cosine of CLIP embeddings, for shortlists made with an open_clip embedder.

No threshold of copies is published for CLIP, so the rule is calibrated on the control, as SSIM is. The pixel embedder has none
either and is no rule; it only makes the shortlist.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
"""

from shared.matching.panel.rule import RuleDefinition, largest_cosine

RULE = RuleDefinition(
    name="clip",
    title="cosine of the CLIP embeddings, against the control",
    source="Radford et al. 2021; threshold: control of this model",
    fires="above",
    score=largest_cosine,
    position=70,
    embedder_kind="open_clip",
)
