"""Streams and CUDA graphs of a pretended card.

A recording runs nothing: what it wrote outside is put back. A replay repeats its operations on the same memory, and
fails where that is gone. Memory that a recording made itself holds noise until a replay writes it, and again after a
replay of an earlier recording from the same pool, which may have left its own there.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import _disable_current_modes

from tests.support.pretend_card import leaves, mapped

if TYPE_CHECKING:
    from tests.support.pretend_cuda import Machine


class Stream:
    """Work in its order; `seen` is how much of other streams' it waits for."""

    machine: Machine

    def __init__(self, device: Any = None) -> None:
        self.device, self.work, self.seen, self.workspace = self.machine.whole(device), 0, dict[Any, int](), False
        self.machine.streams.append(self)

    def is_capturing(self) -> bool:
        return self.machine.card.recorder is not None

    def wait_stream(self, other: Stream) -> None:
        for stream, work in [*other.seen.items(), (other, other.work)]:
            self.seen[stream] = max(self.seen.get(stream, 0), work)


@dataclass
class Pool:
    """Memory of recordings.

    Attributes:
        users: recordings that live.
        graphs: recordings in their order.
        born: memory that was made while recording.
        pinned: whether a library keeps a workspace in it.
    """

    users: int = 0
    graphs: list[weakref.ref[Any]] = field(default_factory=list)
    born: list[StorageWeakRef] = field(default_factory=list)
    pinned: bool = False


@dataclass(frozen=True)
class Address:
    """A tensor outside, as a recording knows it."""

    held: StorageWeakRef
    place: tuple[Any, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, x: Tensor) -> Address:
        return cls(StorageWeakRef(x.untyped_storage()), (x.storage_offset(), x.size(), x.stride()), x.dtype)

    def tensor(self) -> Tensor:
        storage = torch.UntypedStorage._new_with_weak_ptr(self.held.cdata)
        return torch.empty(0, dtype=self.dtype).set_(storage, *self.place)


class Recorder:
    """Takes operations on one device down.

    Attributes:
        steps: functions, what they are given, and which of their results are new memory.
        addresses: of what lies outside, each once.
        born: what was made on the way, by its memory.
        fixed: numbers of the host, which a recording holds as they were.
        written: what was changed outside, and what it held before.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.steps: list[tuple[Any, Any, Any, list[Any]]] = []
        self.addresses: dict[Any, Address] = {}
        self.born: dict[int, Tensor] = {}
        self.fixed: dict[int, Tensor] = {}
        self.written: dict[int, tuple[StorageWeakRef, torch.UntypedStorage]] = {}

    def takes(self, device: torch.device) -> bool:
        return device == self.device

    def runner(self, func: Any, hosts: list[Tensor]) -> Any:
        """Calls the function and takes it down; numbers that lie on the host are the recording's from now on."""
        self.fixed |= {_memory(leaf): leaf for leaf in hosts}
        return lambda *args, **named: self._run(func, args, named)

    def _run(self, func: Any, args: Any, named: Any) -> Any:
        known = {_memory(leaf) for leaf in leaves(args) + leaves(named.values()) if isinstance(leaf, Tensor)}
        held = mapped(self._held, args), {word: mapped(self._held, value) for word, value in named.items()}
        if func._schema.is_mutable:
            for leaf in _changed(func, args, named):
                self._keep(leaf)
        found = func(*args, **named)
        made = [leaf if isinstance(leaf, Tensor) and _memory(leaf) not in known else None for leaf in _flat(found)]
        for leaf in made:
            if leaf is not None:
                self.born[_memory(leaf)] = leaf
        if func._schema.is_mutable or any(leaf is not None for leaf in made):
            self.steps.append((func, *held, made))
        return found

    def _held(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or _memory(leaf) in self.born or _memory(leaf) in self.fixed:
            return leaf
        name = _memory(leaf), leaf.storage_offset(), tuple(leaf.size()), leaf.stride(), leaf.dtype
        if name not in self.addresses:
            self.addresses[name] = Address.of(leaf)
        return self.addresses[name]

    def _keep(self, leaf: Tensor) -> None:
        """What is outside and about to change."""
        memory = _memory(leaf)
        if memory not in self.born and memory not in self.written:
            storage = leaf.untyped_storage()
            self.written[memory] = StorageWeakRef(storage), storage.clone()

    def end(self) -> None:
        """As if nothing had run."""
        for held, before in self.written.values():
            if not held.expired():
                torch.UntypedStorage._new_with_weak_ptr(held.cdata).copy_(before)
        self.written.clear()
        scribble(self.born)


def _memory(leaf: Tensor) -> int:
    return cast(int, leaf.untyped_storage()._cdata)


def _flat(found: Any) -> list[Any]:
    return leaves([found])


def _quietly() -> Any:
    """Plain numbers of this CPU, whatever mode is on."""
    quiet = contextlib.ExitStack()
    for one in (_disable_current_modes(), torch.no_grad(), torch.inference_mode(False)):
        quiet.enter_context(one)
    return quiet


def _changed(func: Any, args: Any, named: Any) -> list[Tensor]:
    found = []
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = named[argument.name] if argument.name in named else args[number] if number < len(args) else None
            found += [leaf for leaf in _flat(given) if isinstance(leaf, Tensor)]
    return found


def scribble(born: dict[int, Tensor]) -> None:
    """Noise, as another recording would leave it."""
    for one in born.values():
        whole = torch.empty(0, dtype=one.dtype).set_(one.untyped_storage())
        if one.dtype.is_floating_point:
            whole.fill_(float("nan"))
        elif one.dtype != torch.bool:
            whole.fill_(torch.iinfo(one.dtype).max)


class Graph:
    """What stands for a `torch.cuda.CUDAGraph`."""

    machine: Machine

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._handle: Any = None

    def begin(self, pool: Any) -> None:
        machine, pools = self.machine, self.machine.pools
        if pool in pools and not pools[pool].users:
            machine.card.refuse("use_count > 0 INTERNAL ASSERT FAILED: a pool whose recordings are all gone")
        self._handle = machine.handle() if pool is None else pool
        held = pools.setdefault(self._handle, Pool())
        held.users += 1
        held.graphs.append(weakref.ref(self))
        self._recorder = machine.card.recorder = Recorder(torch.device("cuda", machine.card.current))

    def end(self) -> None:
        recorder = self.machine.card.recorder
        self.machine.card.recorder = None
        with _quietly():
            recorder.end()
        pool = self.machine.pools[self._handle]
        pool.born += [StorageWeakRef(one.untyped_storage()) for one in recorder.born.values()]
        if not recorder.steps:
            self.machine.card.faults.append("The CUDA Graph is empty")

    def pool(self) -> Any:
        return self._handle

    def replay(self) -> None:
        recorder, card = self._recorder, self.machine.card
        assert recorder is not None
        self.machine.before("replay", recorder.device)
        with _quietly():
            outside = {id(one): self._found(one) for one in recorder.addresses.values()}

            def given(leaf: Any) -> Any:
                return outside[id(leaf)] if type(leaf) is Address else leaf

            for func, args, named, made in recorder.steps:
                found = func(*mapped(given, args), **{word: mapped(given, value) for word, value in named.items()})
                for mine, fresh in zip(made, _flat(found), strict=True):
                    if mine is not None:
                        mine.copy_(fresh)
            outside.clear()
            for other in self._later():
                scribble(other._recorder.born)
        card.replays += 1

    def _found(self, address: Address) -> Tensor:
        if address.held.expired():
            self.machine.card.refuse("a replay reads memory that was freed since it was recorded")
        return address.tensor()

    def _later(self) -> Iterator[Any]:
        alive = [graph for held in self.machine.pools[self._handle].graphs if (graph := held()) is not None]
        yield from alive[alive.index(self) + 1 :]

    def __del__(self) -> None:
        if self._handle is not None:
            self.machine.pools[self._handle].users -= 1
