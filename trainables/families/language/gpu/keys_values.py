"""Keys and values of rows that grow side by side, whole and in place: [layers, 2, B, heads, T, K].

Letters: B rows, H heads of queries, G heads of queries to one of keys, T places, K width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

BUCKETS = 8
"""Lengths of what attention reads: at a place it reads up to the end of the place's bucket."""

LEAST = 64
"""Places of a bucket at least."""


class StaticKeyValues:
    """Has the calls of `sampling.decoder.KeyValues`; its place is a tensor, so that one recording serves a bucket.

    Args:
        layers: of the model.
        heads: of keys.
        length: places at most.
        width: of a head.
        like: its device, and off a CPU its precision, are the cache's.
    """

    def __init__(self, layers: int, heads: int, length: int, width: int, like: Tensor) -> None:
        self.layers, self.heads, self.width = layers, heads, width
        self.bucket = min(max(-(-length // BUCKETS), LEAST), length)
        self.places = -(-length // self.bucket) * self.bucket
        dtype = torch.float32 if like.device.type == "cpu" else like.dtype
        self.held = like.new_empty(0, dtype=dtype)
        self.rows, self.used = 0, self.bucket

    def begin(self, rows: int) -> None:
        """Room for so many rows; what an earlier use of it left is overwritten before it is read."""
        if self.held.numel() == 0 or self.held.shape[2] < rows:
            shape = (self.layers, 2, rows, self.heads, self.places, self.width)
            self.held = self.held.new_zeros(shape)
        self.rows = rows
        self.look(0)

    def look(self, place: int) -> None:
        """Read up to the end of the bucket of a place from now on."""
        self.used = (place // self.bucket + 1) * self.bucket

    def attend(self, layer: int, place: Tensor, q_BHK: Tensor, k_BHK: Tensor, v_BHK: Tensor, scale: float) -> Tensor:
        """Store this place's key and value, and what the queries find among all up to it, [B, H · K]."""
        keys_BHTK, values_BHTK = self.held[layer, :, : self.rows].unbind(0)
        keys_BHTK.index_copy_(2, place, k_BHK[:, :, None].to(keys_BHTK.dtype))
        values_BHTK.index_copy_(2, place, v_BHK[:, :, None].to(keys_BHTK.dtype))
        seen_T = torch.arange(self.used, device=place.device) <= place
        q_BHGK = q_BHK.to(keys_BHTK.dtype).reshape(self.rows, self.heads, -1, self.width)
        read = keys_BHTK[:, :, : self.used], values_BHTK[:, :, : self.used]
        mask = seen_T.expand(1, 1, q_BHGK.shape[2], -1)
        return scaled_dot_product_attention(q_BHGK, *read, attn_mask=mask, scale=scale).reshape(self.rows, -1)

    def keep(self, index: Tensor) -> None:
        """Rows at `index` alone, in the first places of the same memory."""
        self.rows = len(index)
        for layer in self.held:  # one at a time: the copy on the way is a layer's, not all of them
            layer[:, : self.rows, :, : self.used] = layer[:, index, :, : self.used]
