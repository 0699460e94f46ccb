"""Copies of whole pictures and of parts, at the pictures' own resolution and aspect ratio.

Each picture has local features, made once (`local_features`). A candidate is laid over a generation by the plane map that most
pairs of features agree on (`feature_matching`). docs/methods/whole-picture.md has the method.
"""
