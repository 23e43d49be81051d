"""What stands for `torch.cuda` while a card is pretended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
import torch._dynamo  # asks for functions of `torch.cuda` as they were
import torch.nn.attention.varlen
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from tests.support.pretend_autocast import pretend_autocast
from tests.support.pretend_card import Card, OnCard
from tests.support.pretend_graphs import Graph, Pool, Stream
from tests.support.pretend_varlen import pretend_varlen
from trainables.families.diffusion.gpu import reverse
from trainables.families.language.gpu import attention, grow, train
from trainables.runtime import DEVICE, capture

FREE, TOTAL = 100 * 2**30, 139 * 2**30
"""Bytes of memory."""

PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "convolution", "convolution_backward", "_addmm_activation"})
"""Operations of libraries that keep scratch memory for each stream, made when first used there."""


class Machine:
    """The state behind `torch.cuda`.

    Args:
        card: of all devices.
        count: devices.
    """

    def __init__(self, card: Card, count: int) -> None:
        self.card, self.count, self.pools = card, count, dict[Any, Pool]()
        self.streams: list[Stream] = []
        self.kind = type("Stream", (Stream,), {"machine": self})
        self.default: list[Stream] = [self.kind(torch.device("cuda", number)) for number in range(count)]
        self.now = list(self.default)
        self.capturing: Stream | None = None
        self.stuck: list[Any] = []
        self.handles = 0

    def handle(self) -> Any:
        self.handles += 1
        return (0, self.handles)

    def current(self, device: Any = None) -> Stream:
        return self.now[self.whole(device).index or 0]

    def whole(self, device: Any) -> torch.device:
        if isinstance(device, int):
            return torch.device("cuda", device)
        return self.card.whole(torch.device("cuda" if device is None else device))

    def before(self, name: str, device: torch.device) -> None:
        """What the current stream has to have waited for."""
        here = self.current(device)
        if self.card.recorder is not None and self.card.recorder.takes(device):
            if name in PRODUCTS and not here.workspace:
                self.pools[self.capturing_pool].pinned = here.workspace = True
            return
        for other in self.streams:
            if other is not here and other.device == here.device and here.seen.get(other, 0) < other.work:
                self.card.refuse(f"{name}: another stream's work has not been waited for")
        here.work += 1
        here.workspace |= name in PRODUCTS

    def synchronize(self, *_: Any) -> None:
        for stream in self.streams:
            stream.seen.update({other: other.work for other in self.streams})

    def empty_cache(self) -> None:
        """Pools that nobody uses are given back, unless something still lies in them."""
        for handle, pool in list(self.pools.items()):
            if not pool.users and not pool.pinned and all(held.expired() for held in pool.born):
                del self.pools[handle]

    @contextlib.contextmanager
    def on(self, device: Any) -> Iterator[None]:
        before = self.card.current
        self.card.current = self.whole(device).index or 0
        try:
            yield
        finally:
            self.card.current = before

    @contextlib.contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        with self.on(stream.device):
            before, self.now[self.card.current] = self.now[self.card.current], stream
            try:
                yield
            finally:
                self.now[self.card.current] = before

    @contextlib.contextmanager
    def graph(
        self, graph: Graph, pool: Any = None, stream: Stream | None = None, capture_error_mode: str = "global"
    ) -> Iterator[None]:
        self.synchronize()
        self.empty_cache()
        if stream is None:
            self.capturing = self.capturing or self.kind()
        refused, inside = len(self.card.faults), self.stream(stream or cast(Stream, self.capturing))
        inside.__enter__()
        graph.begin(pool)
        self.capturing_pool = graph.pool()
        try:
            yield
        finally:
            graph.end()
            if len(self.card.faults) > refused:
                self.stuck.append(inside)  # torch's context, too, leaves its stream in use where a recording has failed
            else:
                inside.__exit__(None, None, None)


@contextlib.contextmanager
def pretend_card(monkeypatch: pytest.MonkeyPatch, count: int = 1) -> Iterator[Card]:
    """Cards for as long as it lasts, "cuda:0" and on; skips the test where torch is built for real ones."""
    if torch.version.cuda is not None:
        pytest.skip("for builds of torch without CUDA")
    card = Card()
    machine = Machine(card, count)
    card.before = machine.before
    with monkeypatch.context() as patch:
        for name, value in _functions(machine).items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch.nn.attention.varlen, "varlen_attn", pretend_varlen(card))
        patch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("cuda"))
        patch.setattr(torch.accelerator, "current_stream", machine.current)
        patch.setattr(Tensor, "to", _to(card, Tensor.to))
        patch.setattr(torch.utils._foreach_utils, "_foreach_supported_types", [Tensor, torch.nn.Parameter, OnCard])
        by_device = _grouped(torch._C._group_tensors_by_device_and_dtype)
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", by_device)
        patch.setattr(torch, "tensor", _tensor(torch.tensor))
        lifted = torch._C._only_lift_cpu_tensors()
        _forget()
        swaps = torch.__future__.get_swap_module_params_on_conversion()
        torch._C._set_only_lift_cpu_tensors(True)
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            with pretend_autocast(), torch.autograd.set_multithreading_enabled(False), card:
                yield card
        finally:
            _forget()
            torch._C._set_only_lift_cpu_tensors(lifted)
            torch.__future__.set_swap_module_params_on_conversion(swaps)


@contextlib.contextmanager
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A device that no card has to look after."""
    with monkeypatch.context() as here, _disable_current_modes():
        here.setenv(DEVICE, "cpu")
        yield


def _forget() -> None:
    """What a process keeps of a card."""
    for kept in (train._kept, grow._kept, reverse._kept, capture._warned, capture._recordings):
        kept.clear()
    for cached in (capture._stream, attention.kernels_agree):
        cached.cache_clear()


def _to(card: Card, plain: Any) -> Any:
    """`Tensor.to`, which torch would take for nothing to do between a CPU and what is but called a card."""

    def to(self: Tensor, *args: Any, copy: bool = False, **named: Any) -> Tensor:
        if args and isinstance(args[0], Tensor):
            args = args[0].device, args[0].dtype, *args[1:]
        copy |= len(args) > 2 + (not isinstance(args[0], torch.dtype)) and bool(args[-1]) if args else copy
        device, dtype, _, layout = torch._C._nn._parse_to(*args, **named)
        words = {} if layout is None else {"memory_format": layout}
        if device is None or card.whole(device) == self.device:
            return cast(Tensor, plain(self, dtype or self.dtype, copy=copy, **words))
        return cast(Tensor, plain(card.carried(self, card.whole(device)), dtype or self.dtype, **words))

    return to


def _grouped(plain: Any) -> Any:
    """Tensors of optimisers by device, which torch would take for a CPU."""

    def grouped(lists: Any, with_indices: bool = False) -> Any:
        found = plain(lists, with_indices)
        return {(group[0][0][0].device, dtype): group for (_, dtype), group in found.items()}

    return grouped


def _tensor(plain: Any) -> Any:
    """`torch.tensor` by way of the host, as torch makes it too."""

    def tensor(data: Any, *, device: Any = None, **named: Any) -> Tensor:
        return cast(Tensor, plain(data, **named) if device is None else plain(data, **named).to(device))

    return tensor


def _functions(machine: Machine) -> dict[str, Any]:
    """Of `torch.cuda`."""
    card, nothing = machine.card, lambda *_, **__: None
    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "_lazy_init": nothing,
        "device_count": lambda: machine.count,
        "current_device": lambda: card.current,
        "device": machine.on,
        "current_stream": machine.current,
        "default_stream": lambda device=None: machine.default[machine.whole(device).index or 0],
        "Stream": machine.kind,
        "stream": machine.stream,
        "graph": machine.graph,
        "CUDAGraph": type("CUDAGraph", (Graph,), {"machine": machine}),
        "graph_pool_handle": machine.handle,
        "is_current_stream_capturing": lambda: card.recorder is not None,
        "synchronize": machine.synchronize,
        "empty_cache": machine.empty_cache,
        "mem_get_info": lambda device=None: (FREE, TOTAL),
        "memory_allocated": lambda device=None: 0,
        "memory_reserved": lambda device=None: 0,
        "is_bf16_supported": lambda including_emulation=True: True,
        "get_device_name": lambda device=None: "a pretended card",
        "get_device_capability": lambda device=None: (9, 0),
        "get_rng_state": lambda device=None: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": nothing,
        "manual_seed": nothing,
        "manual_seed_all": nothing,
    }
