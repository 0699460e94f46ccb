"""Generations of a model, one recorded seed each, and their files."""
