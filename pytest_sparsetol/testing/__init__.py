"""The tests that every method must pass, ours and a team's own: inherit one class, name the method, give a reference.

    class TestShortKeys(KvChecks):
        method = ShortKeys

        def reference(self, method, query, key, scale):
            ...  # the definition, slow and plain

pytest then collects one test for each check and case: the reference's selection on many shapes (head counts, head
sizes, odd lengths, dtypes), ties, outputs, left padding in batches of one to four with NaN wherever nothing may be
read, and the declared sparsity measured or refused.
"""

from pytest_sparsetol.testing.cases import BATCHES, CASES, LENGTHS, LEVELS, Case
from pytest_sparsetol.testing.decode import DecodeChecks
from pytest_sparsetol.testing.kv import KvChecks
from pytest_sparsetol.testing.prefill import PrefillChecks

__all__ = ["BATCHES", "CASES", "LENGTHS", "LEVELS", "Case", "DecodeChecks", "KvChecks", "PrefillChecks"]
