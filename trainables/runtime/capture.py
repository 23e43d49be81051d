"""Work on tensors that lie where they are, recorded once as a CUDA graph and replayed; elsewhere it is simply called.

A replay costs the launch of one graph where the plain call costs one launch a kernel. It repeats the same kernels on
the same memory: what changes from call to call (a step's number, a learning rate) has to be a tensor that the work
itself reads and advances.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
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
    """A function without arguments and result, called as often as wanted.

    What a graph can't hold (a wait for the device, memory that moves) ends the recording with one warning, and every
    call goes on as it would without: never a wrong number, never an end.

    Args:
        work: reads and writes tensors that outlive it. Calls that record it do not run it.
        device: where they lie.
    """

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self._work, self._device = work, device
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
            self._work()
        else:
            self._aside()
        self._calls += 1

    def _aside(self) -> None:
        """A call on a stream of its own, as recordings ask of what goes before them."""
        import torch

        here = torch.cuda.current_stream(self._device)
        aside: Any = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's own
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._work()
        here.wait_stream(aside)

    def _record(self) -> Any:
        import torch

        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=_pool()):
                self._work()
        except RuntimeError as problem:  # torch's word for whatever a graph can't hold
            self._gave_up = True
            warn_once("recorded as a CUDA graph", problem)
            return None
        return graph


@lru_cache(maxsize=1)
def _pool() -> Any:
    """Memory of what recordings hold on the way, one after another; nothing that is read later lies there but what its
    owner still refers to.
    """
    import torch

    return torch.cuda.graph_pool_handle()


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
