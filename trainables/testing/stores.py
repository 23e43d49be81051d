"""What every store must do: give back what was put, whole or not at all, and compute each key once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from trainables.lineage import make_key
from trainables.store import Payload, Store
from trainables.testing.bench import content

KEY, OTHER = make_key("suite", part=1), make_key("suite", part=2)


def _payload(seed: int = 0, rows: int = 3) -> Payload:
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {
        "weights": rng.standard_normal((rows, 2)),
        "half": rng.standard_normal(rows).astype(np.float16),
        "counts": rng.integers(0, 9, rows, dtype=np.uint8),
        "flags": rng.random(rows) > 0.5,
        "scalar": np.array(rng.standard_normal(), dtype=np.float32),
    }
    return Payload(
        {"rows": rows, "third": 1 / 3, "nested": {"ü": [1, None, True]}}, tensors, files={"a.svg": b"<svg/>"}
    )


def store_gives_back_what_was_put(store: Store) -> None:
    """To the last bit: shapes, types, small files, numbers; and says what it was derived from."""
    store.put("model", KEY, _payload(), {"data": f"batch/{OTHER}"})
    found, about = store.get("model", KEY), store.describe("model", KEY)
    assert found is not None
    assert about is not None
    assert content(found) == content(_payload())
    for name, array in _payload().tensors.items():
        assert (found.tensors[name].dtype, found.tensors[name].shape) == (array.dtype, array.shape)
    assert (about.kind, about.key, about.parents) == ("model", KEY, {"data": f"batch/{OTHER}"})
    assert about.meta == found.meta
    assert about.size > 0


def store_knows_what_it_lacks(store: Store) -> None:
    """What was never put is not there, by every question."""
    store.put("model", KEY, _payload())
    for kind, key in (("model", OTHER), ("batch", KEY)):
        assert store.get(kind, key) is None
        assert store.describe(kind, key) is None
        assert not store.has(kind, key)
    assert store.has("model", KEY)


def store_takes_the_same_twice(store: Store) -> None:
    """Two processes may put one key with equal content."""
    store.put("model", KEY, _payload())
    store.put("model", KEY, _payload())
    found = store.get("model", KEY)
    assert found is not None
    assert content(found) == content(_payload())
    assert list(store.keys("model")) == [KEY]


def store_refuses_numbers_that_json_lacks(store: Store) -> None:
    """A meta that would not come back is refused, and leaves nothing."""
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"\S"):
            store.put("record", KEY, Payload({"loss": bad}))
    assert not store.has("record", KEY)


def store_lists_what_it_holds(store: Store) -> None:
    """Kinds, and keys by prefix, sorted."""
    keys = sorted(make_key("listed", part=part) for part in range(5))
    for key in reversed(keys):
        store.put("batch", key, _payload())
    store.put("model", KEY, _payload())
    assert set(store.kinds()) >= {"batch", "model"}
    assert list(store.keys("batch")) == keys
    assert list(store.keys("batch", keys[2][:8])) == [key for key in keys if key.startswith(keys[2][:8])]
    assert [found.key for found in store.walk("batch", [keys[3], OTHER, keys[1]])] == [keys[1], keys[3]]


def store_deletes(store: Store) -> None:
    """What was deleted is gone and can be put again; deleting nothing is nothing."""
    store.delete("model", KEY)
    store.put("model", KEY, _payload())
    store.delete("model", KEY)
    assert not store.has("model", KEY)
    assert list(store.keys("model")) == []
    store.put("model", KEY, _payload(1))
    found = store.get("model", KEY)
    assert found is not None
    assert content(found) == content(_payload(1))


def store_computes_a_key_once(store: Store) -> None:
    """`once` computes what is missing, commits it, and never computes it again."""
    calls = []

    def compute() -> Payload:
        calls.append(1)
        return _payload()

    found = [store.once("model", KEY, compute, {"data": f"batch/{OTHER}"}) for _ in range(2)]
    assert calls == [1]
    assert content(found[0]) == content(found[1]) == content(_payload())
    about = store.describe("model", KEY)
    assert about is not None
    assert about.parents == {"data": f"batch/{OTHER}"}


def store_lets_go_of_what_failed(store: Store) -> None:
    """A computation that raises leaves nothing, holds nothing, and can be tried again."""

    def broken() -> Payload:
        raise ArithmeticError("diverged")

    with pytest.raises(ArithmeticError, match="diverged"):
        store.once("model", KEY, broken)
    assert not store.has("model", KEY)
    assert store.busy("model", KEY) is None
    assert store.free("model", KEY)
    assert content(store.once("model", KEY, _payload)) == content(_payload())


STORE_CHECKS: tuple[Callable[[Store], None], ...] = (
    store_gives_back_what_was_put,
    store_knows_what_it_lacks,
    store_takes_the_same_twice,
    store_refuses_numbers_that_json_lacks,
    store_lists_what_it_holds,
    store_deletes,
    store_computes_a_key_once,
    store_lets_go_of_what_failed,
)
"""Functions of an empty store."""
