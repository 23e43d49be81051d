"""Keys and the streams they name."""

import numpy as np
import pytest

from trainables.lineage import KEY_DIGITS, Stream, make_key


def test_keys_are_hexadecimal_and_long_enough():
    assert KEY_DIGITS >= 16
    assert len(make_key("model", a=1)) == KEY_DIGITS
    int(make_key("model", a=1), 16)


def test_a_key_is_the_same_for_ever():
    """A changed value here means that every store of every user is recomputed: raise SCHEMA instead."""
    assert make_key("model", a=1, b=[1.5, "x", None]) == "e954d6a641ce9f81af8c329fbcd0fa16"


def test_tags_tell_equal_parts_apart():
    assert make_key("model", a=1) != make_key("batch", a=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1}, {"a": 1.5}), ({"a": 1}, {"b": 1}), ({"a": [1, 2]}, {"a": [2, 1]}), ({"a": "1"}, {"a": 1})],
)
def test_parts_tell_keys_apart(one, other):
    assert make_key("t", **one) != make_key("t", **other)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_has_no_key(bad):
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_key("t", a=[{"b": bad}])


def test_what_has_no_json_form_has_no_key():
    with pytest.raises(TypeError):
        make_key("t", a=object())


def test_streams_repeat_and_differ_by_name():
    one = Stream("k").child("fit")
    assert one.numpy("a").random(4).tolist() == Stream("k", ("fit",)).numpy("a").random(4).tolist()
    names = [Stream("k"), Stream("j"), Stream("k").child("fit"), Stream("k").child("fit", "x"), one.child("x", "y")]
    assert len({stream.numpy().random() for stream in names}) == len(names)


def test_a_path_is_not_its_text():
    assert Stream("k").child("a", "b").integer() != Stream("k").child("ab").integer()


def test_integers_suit_torch():
    seeds = [Stream(f"k{number}").integer() for number in range(1000)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
    assert len(set(seeds)) == 1000


def test_streams_are_uniform_across_keys():
    """The first number of 4,000 streams: mean and variance of the uniform distribution."""
    first = np.array([Stream(str(n)).numpy().random() for n in range(4000)])
    assert abs(first.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 4000)
    assert abs(first.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / 4000)
