"""Archival links: what a source served, kept as evidence here and elsewhere, and checked again later."""
