"""The family contract, on every registered family."""

import pytest

from trainables.families import FAMILIES
from trainables.testing import FAMILY_CHECKS, family_payloads_survive_the_store


@pytest.mark.parametrize("check", FAMILY_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("family", list(FAMILIES))
def test_family(check, bench):
    check(bench)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_family_payloads_survive_the_store(bench, tmp_path):
    family_payloads_survive_the_store(bench, str(tmp_path))
