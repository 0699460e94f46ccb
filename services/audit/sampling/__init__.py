"""Generations of a model, one recorded seed each, and where they are kept."""
