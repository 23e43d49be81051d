"""What a family's config says of itself, of a family made up for it: its parts in keys, refusals, memory."""

from typing import ClassVar, Literal

import numpy as np
import pytest

from trainables.families import Cost, FamilyConfig
from trainables.families.config import DEVICE_CONTEXT
from trainables.families.metrics import Metric


class Made(FamilyConfig):
    kind: Literal["made"] = "made"
    source: str = "s"
    width: int = 3
    temperature: float = 1.0
    judged: int = 5
    judge: int = 7
    start: str = "fresh"
    loss_unit: ClassVar[str] = "nats"
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("kl", "divergence", "nats", worse=1),)
    default_rows: ClassVar[int] = 80
    data_fields: ClassVar[frozenset[str]] = frozenset({"source"})
    sampling_fields: ClassVar[frozenset[str]] = frozenset({"temperature"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"judged"})
    judge_fields: ClassVar[frozenset[str]] = frozenset({"judge"})
    start_fields: ClassVar[frozenset[str]] = frozenset({"start"})

    def cost(self, rows):
        return Cost(parameters=100 * rows, fit_flops=1.0, sample_flops=1.0, row_bytes=1.0)

    def build(self, world):
        raise NotImplementedError


class Later(Made):
    """The same after three of its parts have changed."""

    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    default_rows: ClassVar[int] = 20
    data_version: ClassVar[int] = 1
    fit_version: ClassVar[int] = 2
    evaluation_version: ClassVar[int] = 3


def test_each_field_is_in_the_identity_of_what_it_can_change():
    made = Made()
    assert made.data_identity() == made.declared_data() == {"kind": "made", "source": "s"}
    assert made.fit_identity() == {"kind": "made", "width": 3}
    assert made.sampling_identity() == {"temperature": 1.0}
    assert made.evaluation_identity() == {"temperature": 1.0, "judged": 5}
    assert made.judge_identity() == {"kind": "made", "width": 3, "temperature": 1.0, "judge": 7}
    assert made.start_identity() == {}


def test_a_version_stands_where_something_changed_and_nowhere_else():
    later = Later()
    assert later.data_identity() == {"kind": "made", "source": "s", "version": 1}
    assert later.fit_identity() == {"kind": "made", "width": 3, "version": 2}
    assert later.sampling_identity() == {"temperature": 1.0}
    assert later.evaluation_identity() == {"temperature": 1.0, "judged": 5, "version": 3}


def test_what_a_family_can_not_is_refused():
    Made().check(10, 1)
    Later().check(10, 5)
    with pytest.raises(ValueError, match=r"^replicates: made runs one recursion per cell; use several seeds instead"):
        Made().check(10, 2)
    Later().check_validation()
    with pytest.raises(ValueError, match=r"^family: made has no validation rows"):
        Made().check_validation()


def test_memory_is_four_numbers_a_parameter_what_the_context_takes_and_two_gibibytes():
    assert Made().working_bytes(10) == 2 * 1024**3
    assert Made().device_bytes(10) == DEVICE_CONTEXT + 16 * 1000 + 2 * 1024**3


def test_defaults_are_those_of_a_family_that_is_fitted_from_scratch():
    made = Made()
    assert made.starts_from(1) == made.starts_from(9) == "fresh"
    assert (made.checkpoint_key(), made.pretraining(), made.available_rows()) == (None, None, None)
    assert not made.adapts
    assert not made.prompted
    assert made.derived({"kl": np.ones(3)}) == {}
    assert (made.size_label(), made.title) == ("", "")


def test_a_tiny_config_has_the_defaults_and_fifty_rows_at_most():
    assert Made.tiny() == (Made(), 50)
    assert Later.tiny() == (Later(), 20)


def test_records_hold_the_loss_and_the_metrics():
    loss, divergence = Made.recorded()
    assert (loss.name, loss.unit, divergence.name) == ("test_loss", "nats", "kl")
