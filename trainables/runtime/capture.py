"""Work on tensors that lie where they are, recorded once as a CUDA graph and replayed; elsewhere it is simply called.

A replay costs the launch of one graph where the plain call costs one launch a kernel. It repeats the same kernels on
the same memory: what changes from call to call (a step's number, a learning rate) has to be a tensor that the work
itself reads and advances.
"""

from __future__ import annotations

import gc
import logging
import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

F = TypeVar("F", bound=Callable[..., Any])

WARM = 3
"""Calls before a recording: lazily made state, workspaces and compiled code must exist by then. They do real work."""

SHAPES = 64
"""Shapes that one function may be compiled for; torch stops at 8."""

INDUCTOR = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable of torch: where compiled code is kept between processes."""

log = logging.getLogger(__name__)


class Captured:
    """A function without result, called as often as wanted.

    What a graph can't hold (a wait for the device, memory that moves) ends the recording with one warning, and every
    call goes on as it would without: never a wrong number, never an end.

    Args:
        work: reads and writes tensors that outlive it; calls that record it do not run it. Of a method, the object is
            not kept: who owns both goes at once, and so does the memory of the recording.
        device: where they lie.
        given: what `work` is called with, every time.
    """

    def __init__(self, work: Callable[..., None], device: torch.device, *given: Any) -> None:
        self._work: Callable[[], Callable[..., None] | None]
        self._work = weakref.WeakMethod(work) if isinstance(work, MethodType) else lambda: work
        self._device, self._given = device, given
        self._calls, self._graph = 0, None
        self._gave_up = device.type != "cuda"

    @property
    def recorded(self) -> bool:
        """Whether calls are replays by now."""
        return self._graph is not None

    def __call__(self) -> None:
        if self._graph is None and not self._gave_up and self._calls >= WARM:
            self._graph = self._record()
        if self._graph is not None:
            self._graph.replay()
        elif self._gave_up:
            self._run()
        else:
            self._aside()
        self._calls += 1

    def _run(self) -> None:
        work = self._work()
        assert work is not None  # who calls this owns it
        work(*self._given)

    def _aside(self) -> None:
        """A call on another stream, as recordings ask of what goes before them."""
        import torch

        here, aside = torch.cuda.current_stream(self._device), _stream("aside", _number(self._device))
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._run()
        here.wait_stream(aside)

    def _record(self) -> Any:
        import torch

        graph, number = torch.cuda.CUDAGraph(), _number(self._device)
        here = torch.cuda.current_stream(number)  # which torch does not go back to when a recording fails
        try:
            with torch.cuda.stream(here), torch.cuda.graph(graph, _pool(number), _stream("recording", number)):
                self._run()
        except RuntimeError as problem:  # torch's word for whatever a graph can't hold
            self._gave_up = True
            warn_once("recorded as a CUDA graph", problem)
            return None
        _recordings[graph] = number
        return graph


_recordings: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""All that are alive, and their devices' numbers."""


def _pool(number: int) -> Any:
    """Memory of what recordings on a device hold on the way, one after another; nothing that is read later lies there
    but what its owner still refers to.

    It is that of a recording that lives: torch refuses a pool whose recordings are all gone, as long as anything lies
    in it (its issue 189126). All share it: with any graph torch lets go the scratch memory of products that others of
    its stream go on to write to (193402).
    """
    return next((graph.pool() for graph, its in _recordings.items() if its == number), None)


@lru_cache
def _stream(use: str, number: int) -> Any:
    """One for each use: products keep scratch memory for each stream. What is recorded runs nothing else on its own,
    so that this memory lies in the recordings' pool.
    """
    import torch

    return torch.cuda.Stream(number)  # type: ignore[no-untyped-call]  # torch's own


def _number(device: torch.device) -> int:
    """Of a CUDA device; the current one where it names none."""
    import torch

    return torch.cuda.current_device() if device.index is None else device.index


def forget(kept: dict[str, Any]) -> None:
    """Nothing kept any more, and its memory given back at once: what is compiled refers to its owner, in a circle."""
    kept.clear()
    gc.collect()


def compiled_once(function: F, **options: Any) -> F:
    """`function` under `torch.compile` for fixed shapes; as it is, with one warning, once compiling has failed.

    Compiled code is kept in the user's cache folder, for later processes too. All that is made of one function counts
    together for torch's limit, above which it would silently run as it is; `SHAPES` of them are allowed.
    """
    keep_compiled_code()
    fast: list[Callable[..., Any]] = []
    broken: list[Exception] = []

    def call(*args: Any, **named: Any) -> Any:
        if not broken:
            try:
                fast[:] = fast or [_compiled(function, options)]
                with _many_shapes():
                    return fast[0](*args, **named)
            except Exception as problem:  # compilers raise anything, a missing C compiler among it
                broken.append(problem)
                warn_once("compiled", problem)
        return function(*args, **named)

    return call  # type: ignore[return-value]  # the same signature


def _compiled(function: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    import torch

    found: Callable[..., Any] = torch.compile(function, dynamic=False, **options)
    return found


def _many_shapes() -> AbstractContextManager[Any]:
    import torch._dynamo

    patched: AbstractContextManager[Any] = torch._dynamo.config.patch(recompile_limit=SHAPES)
    return patched


def keep_compiled_code() -> None:
    """Name the folder where torch keeps compiled code, unless the environment does or it can't be written."""
    from platformdirs import user_cache_dir

    if os.environ.get(INDUCTOR):
        return
    folder = Path(user_cache_dir("collapse-sweep", appauthor=False), "inductor")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ[INDUCTOR] = str(folder)


_warned: set[str] = set()


def warn_once(how: str, problem: Exception) -> None:
    """One warning a process and kind of failure: what was tried, and why it goes on without."""
    if how in _warned:
        return
    _warned.add(how)
    reason = next(iter(str(problem).strip().splitlines()), type(problem).__name__)
    log.warning("a step can't be %s here and runs as it is, slower: %s", how, reason)
