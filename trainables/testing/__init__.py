"""Contract suites: what every policy, family, source and store must do, checked on whatever is registered.

`POLICY_CHECKS`, `FAMILY_CHECKS`, `SOURCE_CHECKS` and `STORE_CHECKS` are plain functions of a policy's config, a
family's `Bench`, a `SourceBench` and an empty store; `tests/contract` runs each of them on each kind. A package that
adds one of these runs them on its own, as there. Needs pytest.
"""

from trainables.testing.bench import Bench
from trainables.testing.families import FAMILY_CHECKS, family_payloads_survive_the_store
from trainables.testing.policies import POLICY_CHECKS, audit_adds_up, policy_runs_on
from trainables.testing.sources import SOURCE_CHECKS, SourceBench
from trainables.testing.stores import STORE_CHECKS

__all__ = [
    "FAMILY_CHECKS",
    "POLICY_CHECKS",
    "SOURCE_CHECKS",
    "STORE_CHECKS",
    "Bench",
    "SourceBench",
    "audit_adds_up",
    "family_payloads_survive_the_store",
    "policy_runs_on",
]
