"""The unit tests mirror the sources: whoever knows a module knows where its tests are."""

from pathlib import Path

from tests.support.paths import ROOT

UNIT = Path("tests/unit")
# Tests of what several modules do together, each with what that is.
ACROSS_MODULES = {
    "test_architecture.py": "imports between all folders",
    "test_map.py": "this one",
    "services/ingest/signals/test_mutations.py": "damaged pictures through every reader",
    "shared/ledger/test_every_byte.py": "every byte of a log changed",
    "shared/ledger/test_log_without_locks.py": "reading beside a writer",
    "shared/ledger/test_verify_commands.py": "the ledger as `sleeve verify` shows it",
    "shared/vision/similarity/test_expected_values.py": "all metrics against expected values",
}


def list_tests() -> dict[str, Path]:
    """Unit tests by their path below tests/unit, with the source that each one's name promises."""
    paths = [path.relative_to(ROOT / UNIT) for path in (ROOT / UNIT).rglob("test_*.py")]
    return {str(path): path.parent / path.name.removeprefix("test_") for path in paths}


def test_each_unit_test_has_its_source() -> None:
    tests = list_tests()
    without = {name for name, source in tests.items() if not (ROOT / source).is_file()}
    # A folder's tests may stand together beside it: test_policy.py for policy/.
    without = {name for name in without if not (ROOT / tests[name].with_suffix("")).is_dir()}
    assert without - ACROSS_MODULES.keys() == set()


def test_the_exceptions_are_needed() -> None:
    tests = list_tests()
    assert {name for name in ACROSS_MODULES if name not in tests or (ROOT / tests[name]).is_file()} == set()
