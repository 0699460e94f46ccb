"""Cosine of SSCD embeddings, for shortlists made with an embedder that was trained to tell copies.

Source: Pizzi et al. 2022 (SSCD) and Somepalli et al. 2023, "Diffusion Art or Digital Forgery?", where pairs with an SSCD
cosine of at least 0.75 were found to be copies by eye.
"""

from shared.matching.panel.rule import RuleDefinition, largest_cosine

# The operating point at which Pizzi et al. 2022 report 90 % precision.
THRESHOLD = 0.75

RULE = RuleDefinition(
    name="sscd",
    title="cosine of the copy-detection embeddings",
    source="Pizzi et al. 2022; Somepalli et al. 2023",
    threshold=THRESHOLD,
    fires="at_least",
    score=largest_cosine,
    position=80,
    embedder_kind="sscd",
)
