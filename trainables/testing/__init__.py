"""Contract suites: what every registered policy and family must do, checked on whatever is registered.

`POLICY_CHECKS` and `FAMILY_CHECKS` are plain functions of a policy's config or a family's `Bench`;
`tests/contract` runs each of them on each registered kind. Needs pytest.
"""

from trainables.testing.bench import Bench
from trainables.testing.families import FAMILY_CHECKS, family_payloads_survive_the_store
from trainables.testing.policies import POLICY_CHECKS, audit_adds_up, policy_runs_on

__all__ = [
    "FAMILY_CHECKS",
    "POLICY_CHECKS",
    "Bench",
    "audit_adds_up",
    "family_payloads_survive_the_store",
    "policy_runs_on",
]
