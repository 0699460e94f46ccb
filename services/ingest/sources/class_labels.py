"""Names of class labels: a column of `ClassLabel` holds numbers, and its table says what they stand for.

Rules, in order:

1. A number is replaced by the label's name. The number itself says nothing and is not kept.
2. -1 is how the library writes "no label"; a number without a name stays as it is.

Source: https://huggingface.co/docs/datasets/about_dataset_features#classlabel; the schema's metadata `huggingface` has the
features as JSON, and so has `dataset_info.json` of `save_to_disk`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

Labels = Mapping[str, Sequence[str]]


def find_labels(schema: pa.Schema) -> Labels:
    """Return the names of the labels of each column, out of a schema's metadata; empty where it has none."""
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        info = json.loads(text)["info"] if text else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return read_labels(info.get("features") if isinstance(info, dict) else None)


def read_labels(features: Any) -> Labels:
    """Return the names of the labels of each column of these features.

    >>> read_labels({"artist": {"names": ["ada", "bob"], "_type": "ClassLabel"}})
    {'artist': ['ada', 'bob']}
    """
    if not isinstance(features, dict):
        return {}
    named = {column: _names(feature) for column, feature in features.items()}
    return {column: names for column, names in named.items() if names}


def _names(feature: Any) -> list[str]:
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") in {"Sequence", "List", "LargeList"}:
        return _names(feature.get("feature"))
    names = feature.get("names")
    if isinstance(names, dict):  # of a README: {"0": "ada", "1": "bob"}
        names = [name for _, name in sorted(names.items(), key=lambda pair: int(pair[0]) if str(pair[0]).isdigit() else 0)]
    if feature.get("_type") not in {None, "ClassLabel"} or not isinstance(names, list):
        return []
    return [str(name) for name in names]


def name_labels(columns: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """Return a row's columns with names in the place of label numbers.

    >>> name_labels({"artist": 0, "style": -1}, {"artist": ["ada"], "style": ["ink"]})
    {'artist': 'ada', 'style': None}
    """
    if not labels:
        return dict(columns)
    return {name: _name(value, labels[name]) if name in labels else value for name, value in columns.items()}


def _name(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_name(part, names) for part in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if value < 0:
        return None
    return names[value] if value < len(names) else value
