"""Autocast of a pretended card, by CUDA's lists: torch's own casts nothing that it does not take for CUDA.

Lists: "CUDA Ops that can autocast to…" of torch's documentation (`amp.html`); what is in none of the three named here
and has a kernel for CUDA's autocast runs in single precision.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch

from tests.support.pretend_card import OnCard, leaves, mapped

_LOWER = """
    _convolution _convolution.deprecated conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d.input
    conv_transpose3d.input convolution prelu addmm addmv addr matmul einsum mm mv linalg_vecdot linear addbmm
    baddbmm bmm chain_matmul linalg_multi_dot _thnn_fused_lstm_cell _thnn_fused_gru_cell lstm_cell gru_cell
    rnn_tanh_cell rnn_relu_cell _scaled_dot_product_flash_attention scaled_dot_product_attention
"""
LOWER = frozenset(_LOWER.split())
_SUMS = """
    prod prod.dim_int softmax.int log_softmax.int cumprod cumsum linalg_vector_norm linalg_matrix_norm
    linalg_matrix_norm.str_ord sum sum.dim_IntList
"""
SUMS = frozenset(_SUMS.split())
"""Run in single precision unless a type is asked for."""

_WIDEST = """
    addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler index_put tensordot scatter_add
"""
WIDEST = frozenset(_WIDEST.split())
KEY = "AutocastCUDA"


@contextlib.contextmanager
def pretend_autocast() -> Iterator[None]:
    """For as long as it lasts, `torch.autocast("cuda")` casts what is on a pretended card."""
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that kernels are replaced
        for name in _listed():
            library.impl(name, _kernel(name), KEY)
    try:
        yield
    finally:
        library._destroy()


@cache
def _listed() -> list[str]:
    every = (name.removeprefix("aten::") for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::"))
    return [name for name in every if torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", KEY)]


@cache
def _kernel(name: str) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    op = getattr(getattr(torch.ops.aten, packet), overload or "default")
    cast = _lower if name in LOWER else _sums if name in SUMS else _widest if name in WIDEST else _single

    words = [argument.name for argument in op._schema.arguments]

    def kernel(*args: Any, **named: Any) -> Any:
        given = dict(zip(words, args, strict=False)) | named
        if cast is _sums and given.get("dtype") is None and _eligible(args[0]):
            given["dtype"] = torch.float32
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, KEY))):
            return op(**cast(given))

    return kernel


def _eligible(x: Any) -> bool:
    return isinstance(x, OnCard) and x.is_floating_point() and x.dtype != torch.float64


def _to(values: Any, dtype: torch.dtype) -> Any:
    return {word: mapped(lambda x: x.to(dtype) if _eligible(x) else x, value) for word, value in values.items()}


def _lower(values: Any) -> Any:
    return _to(values, torch.get_autocast_dtype("cuda"))


def _single(values: Any) -> Any:
    return _to(values, torch.float32)


def _sums(values: Any) -> Any:
    return values


def _widest(values: Any) -> Any:
    types = {x.dtype for x in leaves(values.values()) if _eligible(x)}
    return _to(values, torch.float32 if torch.float32 in types else next(iter(types), torch.float32))
