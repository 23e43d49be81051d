"""Transposed convolutions that double a map's side, on a CPU by faster routes than torch's own.

With kernel 4, stride 2 and padding 1, output row 2r + p is the sum of two kernel rows: of input row r (kernel row
1 + p) and of its neighbour r − 1 (p = 0, kernel row 3) or r + 1 (p = 1, kernel row 0). The same holds for columns.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d
from torch.nn.grad import conv2d_weight

from trainables.families.vae.config import KERNEL

NARROW = 4
"""Output channels up to which one matrix product and shifted sums are faster than oneDNN, which leaves most of each
vector register empty there."""

TAPS = (((1, 0), (3, -1)), ((2, 0), (0, 1)))
"""For each parity p of an output row: the kernel rows that reach it, and how far off the input row is."""


class Doubling(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with kernel 4, stride 2 and padding 1; equal to it within rounding, and faster on a CPU.

    Args:
        inputs: channels of the map [rows, inputs, height, width].
        outputs: channels of the result, [rows, outputs, 2 height, 2 width].
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, stride=2, padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The doubled map; under autocast in its type, but in single precision where channels are few."""
        if x.device.type != "cpu":
            return super().forward(x, output_size)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            found: Tensor = _Doubled.apply(x.to(dtype), self.weight.to(dtype), self.bias)  # type: ignore[no-untyped-call]
        return found


class _Doubled(torch.autograd.Function):
    """The map, and its gradients as those of the convolution that it is the adjoint of."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if weight.shape[1] <= NARROW:
            return _shifted_sums(x, weight, bias)
        return conv_transpose2d(x, weight, bias.to(x.dtype), stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, by_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        by_bias = by_output.sum((0, 2, 3))
        by_output = _channels_last(by_output, x.dtype)
        by_x = conv2d(by_output, weight, stride=2, padding=1)
        by_weight: Tensor = conv2d_weight(by_output, weight.shape, x, stride=2, padding=1)  # type: ignore[no-untyped-call]
        return by_x, by_weight, by_bias


def _channels_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor in a type, with strides that say channels last even of a single channel."""
    if x.dtype == dtype and x.stride(1) == 1:
        return x
    return torch.empty(x.shape, dtype=dtype, memory_format=torch.channels_last).copy_(x)


def _shifted_sums(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The doubled map, in the bias's type: products with all kernel entries at once, then sums of shifted planes."""
    rows, inputs, height, width = x.shape
    outputs, wide = weight.shape[1], width + 2
    products = weight.permute(1, 2, 3, 0).reshape(-1, inputs) @ _bordered(x).view(-1, inputs).t()
    planes = products.view(outputs, KERNEL, KERNEL, -1)
    size, edge = planes.shape[-1], wide + 1
    total = bias.new_empty(outputs, size)
    doubled = bias.new_empty(rows, outputs, height, 2, width, 2)
    for p, q in ((0, 0), (0, 1), (1, 0), (1, 1)):
        inner = total[:, edge : size - edge].copy_(bias[:, None].expand(-1, size - 2 * edge))
        for kernel_row, down in TAPS[p]:
            for kernel_column, right in TAPS[q]:
                start = edge + down * wide + right
                inner += planes[:, kernel_row, kernel_column, start : start + size - 2 * edge]
        doubled[:, :, :, p, :, q] = total.view(outputs, rows, height + 2, wide)[:, :, 1:-1, 1:-1].transpose(0, 1)
    return doubled.view(rows, outputs, 2 * height, 2 * width)


def _bordered(x: Tensor) -> Tensor:
    """Maps [rows, channels, height, width] with zeros around them, [rows, height + 2, width + 2, channels]: within
    it a shift is a step in memory.
    """
    rows, channels, height, width = x.shape
    found = x.new_empty(rows, height + 2, width + 2, channels)
    for side in (0, -1):
        found[:, side] = 0
        found[:, :, side] = 0
    found[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
    return found
