import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sparsetol.statistics import EvidenceError, decide, items_to_pass


@given(st.floats(0.003, 1.0), st.floats(0.5, 0.999))
def test_is_the_smallest_number_that_passes(threshold: float, confidence: float) -> None:
    items = items_to_pass(threshold, confidence)
    assert decide([0.0] * items, threshold, confidence).verdict == "PASS"
    assert items == 1 or decide([0.0] * (items - 1), threshold, confidence).verdict != "PASS"


def test_known_numbers() -> None:
    assert [items_to_pass(threshold, 0.95) for threshold in (0.02, 0.05, 0.08, 0.1)] == [149, 59, 36, 29]
    assert items_to_pass(1.0, 0.95) == 1


@pytest.mark.parametrize(("threshold", "confidence"), [(0.0, 0.95), (1.1, 0.95), (float("nan"), 0.95), (0.1, 1.0)])
def test_refuses_what_is_no_gate(threshold: float, confidence: float) -> None:
    with pytest.raises(EvidenceError):
        items_to_pass(threshold, confidence)


def test_imports_neither_numpy_nor_scipy() -> None:
    code = (
        "import sys; import pytest_sparsetol.statistics\n"
        "from pytest_sparsetol.statistics.planning import items_to_pass; assert items_to_pass(0.05, 0.95) == 59\n"
        "print([name for name in ('numpy', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
