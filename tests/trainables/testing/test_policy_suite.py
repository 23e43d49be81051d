"""The policy and store contracts catch what `tests/contract/test_suites.py` has no example of: each clause of each
promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import ConfigDict

from trainables.cell import Record
from trainables.policies import FRESH, Budget, Draw, PolicyConfig, Recipe, Sampling, Selection
from trainables.recursion import run
from trainables.store import Artifact, MemoryStore, Payload, Store
from trainables.testing import POLICY_CHECKS, STORE_CHECKS, Bench, audit_adds_up, policy_runs_on

POLICY: dict[str, Callable[[PolicyConfig], None]] = {check.__name__: check for check in POLICY_CHECKS}
STORE: dict[str, Callable[[Store], None]] = {check.__name__: check for check in STORE_CHECKS}
Caught = (AssertionError, pytest.fail.Exception)


class Sound(PolicyConfig):
    """The latest batch, whole."""

    kind: Literal["sound"] = "sound"

    def requires(self) -> frozenset[str]:
        return frozenset({"bias"} if self.bias != 1 else ())

    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget)

    def made(self, generation: int, budget: Budget, **more: Any) -> Recipe:
        parts = {"sampling": Sampling(rows=budget.rows, bias=self.bias), "draws": (Draw(batches=(generation - 1,)),)}
        return Recipe.model_validate({"generation": generation} | parts | more)


class Thawed(Sound):
    model_config = ConfigDict(frozen=False, extra="forbid")
    __hash__ = PolicyConfig.__hash__


class Lenient(Sound):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Untold(Sound):
    """A setting that its plain form leaves out."""

    times: float = 1.0

    def canonical(self) -> dict[str, Any]:
        return {"kind": self.kind, "bias": self.bias}


class Biased(Sound):
    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget, sampling=Sampling(rows=budget.rows, bias=0.5))


class Editing(Sound):
    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget, sampling=Sampling(rows=budget.rows, edit=0.9))


class Correcting(Sound):
    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget, sampling=Sampling(rows=budget.rows, correct=1.0))


class Choosing(Sound):
    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget, selection=Selection(rule="top", judge="first", keep=1))


class Late(Sound):
    """A recipe of the generation before."""

    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(max(generation - 1, 2), budget)


class Light(Sound):
    """Generation 1 with another weight."""

    def recipe(self, generation: int, budget: Budget) -> Recipe:
        made = super().recipe(generation, budget)
        return made.model_copy(update={"draws": (Draw(batches=(0,), weight=0.5),)}) if generation == 1 else made


class Partial(Sound):
    """Half of batch 0 in generation 1."""

    def recipe(self, generation: int, budget: Budget) -> Recipe:
        if generation > 1:
            return super().recipe(generation, budget)
        return Recipe(generation=1, draws=(Draw(batches=(0,), how="first", rows=1),))


class Miscounting(Sound):
    """Says that it uses up more of the reserve than it does."""

    def fresh_rows(self, generations: int, budget: Budget) -> int:
        return super().fresh_rows(generations, budget) + 1

    def later(self, generation: int, budget: Budget) -> Recipe:
        draw = Draw(batches=(FRESH,), how="first", rows=2, start=2 * (generation - 2))
        return self.made(generation, budget, draws=(draw,))


class Halved(Sound):
    """A bias that changes the corpus too."""

    def later(self, generation: int, budget: Budget) -> Recipe:
        batch = 0 if self.bias != 1 else generation - 1
        return self.made(generation, budget, draws=(Draw(batches=(batch,)),))


class Fixed(Sound):
    """A bias that is asked for and not passed on."""

    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.made(generation, budget, sampling=Sampling(rows=budget.rows))


class Wearing(Sound):
    """Draws more and more rows of a batch of N."""

    def later(self, generation: int, budget: Budget) -> Recipe:
        wanted = budget.rows + (generation > 9)
        return self.made(generation, budget, draws=(Draw(batches=(generation - 1,), how="subsample", rows=wanted),))


@pytest.mark.parametrize("check", list(POLICY))
def test_a_sound_policy_keeps_every_promise(check: str) -> None:
    POLICY[check](Sound())


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Thawed, "policy_is_plain_data"),
        (Lenient, "policy_is_plain_data"),
        (Biased, "policy_declares_its_needs"),
        (Editing, "policy_declares_its_needs"),
        (Correcting, "policy_declares_its_needs"),
        (Choosing, "policy_declares_its_needs"),
        (Late, "policy_names_what_exists"),
        (Wearing, "policy_names_what_exists"),
        (Light, "policy_starts_on_real_rows"),
        (Partial, "policy_starts_on_real_rows"),
        (Miscounting, "policy_never_reuses_fresh_rows"),
        (Halved, "policy_takes_the_bias_modifier"),
        (Fixed, "policy_takes_the_bias_modifier"),
    ],
)
def test_a_policy_that_breaks_a_promise_is_caught(kind: type[PolicyConfig], check: str) -> None:
    with pytest.raises(Caught):
        POLICY[check](kind())


def test_a_setting_that_the_plain_form_leaves_out_is_caught() -> None:
    POLICY["policy_is_plain_data"](Untold())
    with pytest.raises(AssertionError):
        POLICY["policy_is_plain_data"](Untold(times=2.0))


def test_a_policy_that_cannot_run_on_a_family_must_be_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    policy_runs_on("token_edit", Bench("kde"))
    monkeypatch.setattr("trainables.policies.token_edit.TokenEdit.requires", lambda self: frozenset({"sing"}))
    monkeypatch.setattr("trainables.cell.Cell._policies", lambda self: {})
    with pytest.raises(Caught):
        policy_runs_on("token_edit", Bench("kde"))


@pytest.fixture(scope="module")
def record() -> Record:
    """Of generation 2 under `accumulate`: 20 real rows, 20 synthetic ones."""
    _, second = list(run(Bench("gaussian").cell.model_copy(update={"generations": 2})))
    return second


@pytest.mark.parametrize(
    "change",
    [
        {"corpus_rows": 41},
        {"real_fraction": 0.6},
        {"generation": 1},
        {"composition": {"duplicates": 41.0}},
        {"composition": {"duplicates": -1.0}},
        {"composition": {"weight_by_batch": {"0": 0.5, "1": 0.6}}},
        {"composition": {"weight_by_batch": {"0": 1.0}}},
        {"composition": {"rows_by_batch": {"0": 20.0, "1": 19.0}}},
        {"test_loss": float("inf")},
        {"metrics": {"nll": float("nan")}},
    ],
    ids=str,
)
def test_an_audit_that_does_not_add_up_is_caught(record: Record, change: dict[str, Any]) -> None:
    audit_adds_up(record)
    changed = {n: record.composition | v if n == "composition" else v for n, v in change.items()}
    with pytest.raises(AssertionError):
        audit_adds_up(record.model_copy(update=changed))


class Rounded(MemoryStore):
    """Keeps single precision."""

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        kept = {n: v.astype(np.float32) if v.dtype == np.float64 else v for n, v in payload.tensors.items()}
        super().put(kind, key, Payload(payload.meta, kept, payload.table, payload.files), parents)


class Flat(MemoryStore):
    """Loses shapes."""

    def get(self, kind: str, key: str) -> Payload | None:
        found = super().get(kind, key)
        return found and Payload(found.meta, {n: np.atleast_1d(v) for n, v in found.tensors.items()}, files=found.files)


class Orphaned(MemoryStore):
    """Forgets what things were derived from."""

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        super().put(kind, key, payload)


class Obliging(MemoryStore):
    """Has something under every key."""

    def has(self, kind: str, key: str) -> bool:
        return True


class Guessing(MemoryStore):
    """Looks at keys alone, whatever the kind."""

    def get(self, kind: str, key: str) -> Payload | None:
        return next((held for (_, known), (held, _) in self._held.items() if known == key), None)


class Counting(MemoryStore):
    """Lists what was put as often as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        super().put(kind, key, payload, parents)
        self.seen.append((kind, key))

    def keys(self, kind: str, prefix: str = "") -> Iterator[str]:
        yield from (key for held, key in self.seen if held == kind and key.startswith(prefix))


class Lax(MemoryStore):
    """Takes numbers that JSON lacks."""

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        self._held[kind, key] = payload, {}


class Prefixless(MemoryStore):
    def keys(self, kind: str, prefix: str = "") -> Iterator[str]:
        yield from super().keys(kind)


class Unsorted(MemoryStore):
    def walk(self, kind: str, keys: Any = None) -> Iterator[Artifact]:
        for key in keys or []:
            found = self.describe(kind, key)
            if found is not None:
                yield found


class Possessive(MemoryStore):
    """Holds a key whose computation failed."""

    held: ClassVar[set[str]] = set()

    def once(self, kind: str, key: str, compute: Any, parents: Mapping[str, str] | None = None) -> Payload:
        self.held.add(key)
        return super().once(kind, key, compute, parents)

    def free(self, kind: str, key: str) -> bool:
        return key not in self.held


class Remembering(MemoryStore):
    """Puts something where a computation failed."""

    def once(self, kind: str, key: str, compute: Any, parents: Mapping[str, str] | None = None) -> Payload:
        try:
            return super().once(kind, key, compute, parents)
        except ArithmeticError:
            self.put(kind, key, Payload({"failed": True}))
            raise


class Swallowing(MemoryStore):
    """Hides that a computation failed."""

    def once(self, kind: str, key: str, compute: Any, parents: Mapping[str, str] | None = None) -> Payload:
        try:
            return super().once(kind, key, compute, parents)
        except ArithmeticError:
            return Payload()


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Rounded, "store_gives_back_what_was_put"),
        (Flat, "store_gives_back_what_was_put"),
        (Orphaned, "store_gives_back_what_was_put"),
        (Orphaned, "store_computes_a_key_once"),
        (Obliging, "store_knows_what_it_lacks"),
        (Guessing, "store_knows_what_it_lacks"),
        (Counting, "store_takes_the_same_twice"),
        (Counting, "store_lists_what_it_holds"),
        (Counting, "store_deletes"),
        (Lax, "store_refuses_numbers_that_json_lacks"),
        (Prefixless, "store_lists_what_it_holds"),
        (Unsorted, "store_lists_what_it_holds"),
        (Possessive, "store_lets_go_of_what_failed"),
        (Remembering, "store_lets_go_of_what_failed"),
        (Swallowing, "store_lets_go_of_what_failed"),
    ],
)
def test_a_store_that_breaks_a_promise_is_caught(kind: type[Store], check: str) -> None:
    STORE[check](MemoryStore())
    with pytest.raises(Caught):
        STORE[check](kind())
