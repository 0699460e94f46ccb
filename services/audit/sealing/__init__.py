"""Slices and controls sealed from data sets, and near copies: left out of both, or found between them and listed."""
