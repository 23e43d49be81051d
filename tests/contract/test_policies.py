"""The policy contract, on every registered policy, and every policy by name alone on every family."""

import pytest

from trainables.cell import Cell
from trainables.families import FAMILIES
from trainables.policies import POLICIES
from trainables.recursion import check_data
from trainables.testing import POLICY_CHECKS, policy_runs_on


@pytest.mark.parametrize("check", POLICY_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("policy", list(POLICIES))
def test_policy(check, policy):
    check(POLICIES.get(policy)())


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_policy_runs_by_name_alone(policy, bench):
    policy_runs_on(policy, bench)


@pytest.mark.parametrize("policy", list(POLICIES))
@pytest.mark.parametrize("family", list(FAMILIES))
def test_defaults_are_served(policy, family):
    """The complete cell of two names has rows enough, its reserve included."""
    if POLICIES.get(policy)().requires() <= FAMILIES.get(family).abilities:
        check_data(Cell.model_validate({"family": {"kind": family}, "policy": {"kind": policy}}))
