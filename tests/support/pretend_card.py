"""A card that is none: tensors that say they lie on CUDA and are computed on this CPU, with what only a card punishes.

It refuses tensors of two devices in one operation, generators of another device and types without kernels; while work
is recorded also every wait for the device and every copy between host and device. Outside recordings these are
counted (`Card.waits`). What it can't show: speed, memory, the kernels' own rounding, and races between streams that
wait for one another too little in ways that order does not tell.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

WAITS = frozenset(
    {
        "_local_scalar_dense",
        "nonzero",
        "nonzero_static",
        "masked_select",
        "bincount",
        "unique_dim",
        "_unique2",
        "unique_consecutive",
        "equal",
        "repeat_interleave",
        "histogram",
        "linalg_eigvals",
    }
)
"""Operations whose results the host has to see, whatever they are given."""

INDEXED = frozenset({"index", "index_put_", "index_put", "_index_put_impl_", "_unsafe_index"})
"""Operations whose indices may lie on a host, from where they are sent."""

MET = WAITS | INDEXED | {"copy_"}
"""Operations where host and device may meet."""

BARE = frozenset({torch.uint16, torch.uint32, torch.uint64})
"""Types that a card can store, convert and fill, and hardly calculate with."""

_MOVES = """
    copy_ _to_copy clone empty zeros ones full fill_ zero_ view slice select _local_scalar_dense detach
    new_zeros new_empty empty_like zeros_like empty_strided _reshape_alias reshape permute t transpose
    unsqueeze squeeze expand split cat view_as_real as_strided
"""
MOVES = frozenset(_MOVES.split())
"""What there is for such types."""

HALVES = frozenset({torch.float16, torch.bfloat16})


class OnCard(Tensor):
    """Claims to lie on a card; `inner`, of the same memory, is what a CPU computes with."""

    inner: Tensor
    place: torch.device

    @staticmethod
    def __new__(cls, inner: Tensor, place: torch.device) -> OnCard:
        made: OnCard = Tensor._make_subclass(cls, inner, False, device_for_backend_keys=place)
        made.inner, made.place = inner, place
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func}: a tensor of a card that is gone")

    @property
    def device(self) -> torch.device:
        return self.place

    @property
    def is_cuda(self) -> bool:
        return True

    @property
    def data(self) -> Tensor:
        """As torch's; what is assigned brings its numbers."""
        return cast(Tensor, Tensor.data.__get__(self))

    @data.setter
    def data(self, other: Tensor) -> None:
        Tensor.data.__set__(self, other)
        self.inner, self.place = cast(OnCard, other).inner, cast(OnCard, other).place

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(f"can't convert {self.place} device type tensor to numpy. Use Tensor.cpu() first")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def cpu(self, *_: Any, **__: Any) -> Tensor:
        return self.to("cpu")

    def get_device(self) -> int:
        return int(self.place.index)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            with torch.no_grad():
                fresh = self.detach().clone()
            kept = isinstance(self, torch.nn.Parameter)
            memo[id(self)] = torch.nn.Parameter(fresh, self.requires_grad) if kept else fresh
        return cast(Tensor, memo[id(self)])


class Card(TorchDispatchMode):
    """While active, "cuda" is a place that tensors can be at.

    Attributes:
        waits: where the host waited for the device or sent to it outside recordings, by operation and place.
        faults: all that was refused, also where somebody caught the error.
        recorder: takes operations down while a graph is recorded.
        replays: of graphs.
        before: told of every operation, and of its device.
        current: the number of the device that "cuda" is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.faults: list[str] = []
        self.recorder: Any = None
        self.replays = 0
        self.before: Callable[[str, torch.device], None] = lambda name, device: None
        self.current = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named: dict[str, Any] = kwargs or {}
        given, wanted = leaves(args) + leaves(named.values()) if types else [], named.get("device")
        here = [leaf for leaf in given if isinstance(leaf, OnCard)]
        if not here and (wanted is None or torch.device(wanted).type != "cuda"):
            return func(*args, **named)
        if _composite(func):
            with self:
                found = func.decompose(*args, **named)
            if found is not NotImplemented:
                return found
        return self._ran(func, args, named, here)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing here is compiled

    def _ran(self, func: Any, args: Any, named: dict[str, Any], here: Sequence[OnCard]) -> Any:
        name, given = func.overloadpacket.__name__, leaves(args) + leaves(named.values())
        device = self._device(name, func, args, given, named, here)
        self._waits(name, args)
        self._kernels(name, here)
        if device.type == "cuda":
            self.before(name, device)
        inside, words = mapped(_inner, args), {word: mapped(_inner, value) for word, value in named.items()}
        if named.get("device") is not None:
            words["device"] = torch.device("cpu")
        words.pop("pin_memory", None)
        run = func
        if self.recorder is not None and self.recorder.takes(device):
            run = self.recorder.runner(func, [leaf for leaf in given if _on_host(leaf)])
        with torch.inference_mode(False) if torch.is_inference_mode_enabled() else contextlib.nullcontext():
            found = run(*inside, **words)
        if device.type != "cuda":
            return found
        outer = {id(leaf.inner): leaf for leaf in here}
        return mapped(lambda one: _outer(one, outer, device), found)

    def _device(
        self, name: str, func: Any, args: Any, given: list[Any], named: Mapping[str, Any], here: Sequence[OnCard]
    ) -> torch.device:
        """Where the result lies."""
        places = {leaf.place for leaf in here}
        if name != "copy_":
            beside = leaves([args[0], *args[2:]]) if name in INDEXED else given
            hosts = [leaf for leaf in beside if _on_host(leaf)]
            lone = name in INDEXED or name == "fill_" or torch.Tag.pointwise in func.tags
            if len(places) > 1 or (places and any(not lone or leaf.ndim for leaf in hosts)):
                self.refuse(f"Expected all tensors to be on the same device, but found two ({func})")
        drawn = named.get("generator")
        if drawn is not None and drawn.device.type != "cuda":
            self.refuse(f"Expected a 'cuda' device type for generator but found '{drawn.device}' ({func})")
        if name == "copy_":
            return cast(torch.device, args[0].device)
        return next(iter(places)) if places else self.whole(torch.device(named["device"]))

    def whole(self, device: torch.device) -> torch.device:
        """With its number."""
        if device.type == "cuda" and device.index is None:
            return torch.device("cuda", self.current)
        return device

    def _waits(self, name: str, args: Any) -> None:
        if name not in MET:
            return
        masks = name in INDEXED and any(_mask(leaf) for leaf in leaves(args[1]))
        if masks and name in ("index_put_", "_index_put_impl_"):  # a number into a mask's places is a plain fill
            masks = not (_on_host(args[2]) and args[2].ndim == 0 and len(leaves(args[1])) == 1)
        sent = name in INDEXED and any(_on_host(leaf) for leaf in leaves(args[1]))
        if name == "copy_":
            sent = args[0].device.type != args[1].device.type
        if name in WAITS or masks or sent:
            ahead = name == "copy_" and isinstance(args[0], OnCard) and len(args) > 2 and args[2]
            self.wait("sent ahead by copy_" if ahead else name)

    def wait(self, name: str) -> None:
        """The host and the card meet, or the host sends."""
        if self.recorder is not None:
            self.refuse(f"operation not permitted when stream is capturing: {name}")
        self.waits[f"{name} {_place()}"] += 1

    def carried(self, x: Tensor, device: torch.device) -> Tensor:
        """A copy on another device."""
        assert not (x.requires_grad and torch.is_grad_enabled()), "gradients do not pass between devices here"
        self.wait("to")
        if device.type == "cuda":
            self.before("to", device)
        elif isinstance(x, OnCard):
            self.before("to", x.device)
        with _disable_current_modes():
            inner = _inner(x.detach()) if not isinstance(x, OnCard) else x.inner
            fresh = inner.clone()
        return OnCard(fresh, device) if device.type == "cuda" else fresh

    def _kernels(self, name: str, here: Sequence[OnCard]) -> None:
        types = {leaf.dtype for leaf in here}
        if types & BARE and name not in MOVES:
            self.refuse(f'"{name}" not implemented for {sorted(map(str, types & BARE))}')
        if types & HALVES and name.startswith("linalg_") and "norm" not in name:
            self.refuse(f'"{name}" not implemented for {sorted(map(str, types & HALVES))}')

    def refuse(self, problem: str) -> None:
        """Raises RuntimeError, and remembers it."""
        self.faults.append(f"{problem} at {_place()}")
        raise RuntimeError(problem)


@cache
def _composite(func: Any) -> bool:
    """Whether an operation is made of others wherever it runs."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


def leaves(values: Iterable[Any]) -> list[Any]:
    """What values and lists among them hold; torch's own way takes longer than what is computed here."""
    found: list[Any] = []
    for one in values:
        if isinstance(one, tuple | list):
            found += leaves(one)
        else:
            found.append(one)
    return found


def mapped(change: Callable[[Any], Any], values: Any) -> Any:
    """The same lists of changed leaves."""
    kind = type(values)
    return kind([mapped(change, one) for one in values]) if kind is tuple or kind is list else change(values)


def _inner(leaf: Any) -> Any:
    return leaf.inner if isinstance(leaf, OnCard) else leaf


def _outer(leaf: Any, outer: Mapping[int, OnCard], device: torch.device) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    return outer[id(leaf)] if id(leaf) in outer else OnCard(leaf, device)


def _on_host(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and not isinstance(leaf, OnCard)


def _mask(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.dtype in (torch.bool, torch.uint8)


def _place() -> str:
    """Where in the product an operation was asked for."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if "/trainables/" in name and "/tests/" not in name:
            return f"{name.rpartition('/trainables/')[2]}:{frame.f_lineno}"
        frame = frame.f_back
    return "outside"
