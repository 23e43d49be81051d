"""What a generation of a language model costs and holds, by formulas written out."""

import pytest

from trainables.families.config import DEVICE_CONTEXT
from trainables.families.language.config import LanguageConfig
from trainables.families.language.config.footprint import KEYS_AND_VALUES


def config(**fields):
    shape = {"width": 16, "layers": 2, "heads": 2, "intermediate": 40, "context": 24, "vocabulary": 300}
    return LanguageConfig.model_validate(shape | {"batch": 8} | fields)


def test_a_fit_takes_six_operations_a_parameter_and_token_and_a_sample_two():
    """Ten rows in batches of eight: 5 updates of four epochs read as many tokens as 40 rows hold."""
    found = config(epochs=4).cost(10)
    assert found.fit_flops * 10 == 6.0 * found.parameters * 40 * 24
    assert found.sample_flops == 2.0 * found.parameters * 24
    assert (found.tokens_per_row, found.row_bytes, found.kept) == (24, 48.0, None)
    assert config(steps=3).cost(10).fit_flops * 10 == 6.0 * found.parameters * 3 * 8 * 24


@pytest.mark.parametrize(("vocabulary", "size"), [(2**16, 48.0), (2**16 + 1, 96.0)])
def test_tokens_are_stored_in_two_bytes_while_they_fit(vocabulary, size):
    assert config(vocabulary=vocabulary).cost(10).row_bytes == size


def test_an_update_and_rows_that_are_sampled_side_by_side_take_memory():
    layer = 16 * 16 + 3 * 40 + 2 * 24
    update = 8 * 24 * 4 * (2 * layer + 3 * 300)
    for precision, width in (("float32", 4), ("auto", 2)):
        sampled = 10 * (24 * 2 * 2 * 16 * width + 12 * 300)
        assert config(precision=precision).working_bytes(10) == update + sampled
    one = config()
    assert one.device_bytes(10) == DEVICE_CONTEXT + 16 * one.parameters + one.working_bytes(10)


def test_memory_does_not_grow_with_rows_that_come_later():
    one = config()
    most = one.side_by_side("cuda")
    assert one.working_bytes(most + 1) == one.working_bytes(most) > one.working_bytes(most - 1)


@pytest.mark.parametrize(("device", "kind", "width"), [("cpu", "cpu", 4), ("cuda", "gpu", 2), ("mps", "gpu", 2)])
def test_as_many_rows_side_by_side_as_their_keys_and_values_allow(device, kind, width):
    large = {"width": 512, "layers": 12, "heads": 8, "intermediate": 2048, "context": 512}
    row = 2 * 12 * 512 * 512 * width
    fits = KEYS_AND_VALUES[kind] // row
    assert config(**large).side_by_side(device) == max(fits, 64)
    assert config().side_by_side(device) == {"cpu": 512, "gpu": 4096}[kind]


def test_single_precision_halves_the_rows_on_a_card():
    large = {"width": 512, "layers": 12, "heads": 8, "intermediate": 2048, "context": 512}
    both = [config(**large, sampling_precision=word).side_by_side("cuda") for word in ("auto", "float32")]
    assert both[0] == pytest.approx(2 * both[1], abs=1)
