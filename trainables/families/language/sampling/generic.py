"""Decoders for any architecture: by the cache that its model returns where that is right, else by reading rows whole.

Caches of transformers differ from the model's own full pass for some architectures (wrong places in hybrid models, no
room for rows that leave), so a cache is compared with the full pass of the very weights before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.families.language.sampling.decoder import Decoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROBED = 16
"""Places that a cache is compared at."""

TOLERANCE = 0.01
"""Nats by which the log chance of a token may differ: ten times what rounding does to trained models."""

CACHES = ("past_key_values", "cache_params")


def generic_decoder(model: PreTrainedModel, length: int, dtype: torch.dtype) -> Decoder:
    """The cached decoder where it gives the model's own distribution, else the whole one."""
    cached = CachedDecoder(model, dtype)
    return cached if agrees(cached, model, min(length, PROBED)) else WholeDecoder(model, dtype)


class CachedDecoder(Decoder):
    """Any architecture, by the cache that its model returns."""

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype) -> None:
        self.model = model
        self.dtype = dtype
        self.begin(0)

    def begin(self, rows: int) -> None:
        self.name = ""
        self.cache: Any = None

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        held = {self.name: self.cache} if self.name else {}
        with _cast(tokens_B, self.dtype):
            answer = self.model(tokens_B[:, None], use_cache=True, **held)
        name = next((name for name in CACHES if answer.get(name) is not None), None)
        if name is None:
            raise ValueError("the model returns no cache")
        self.name, self.cache = name, answer[name]
        logits_BV: Tensor = answer.logits[:, -1]
        return logits_BV

    def keep(self, index: Tensor) -> None:
        self.cache.reorder_cache(index)


class WholeDecoder(Decoder):
    """Any causal architecture, by reading every row from its beginning at every place: exact, and slow."""

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype) -> None:
        self.model = model
        self.dtype = dtype
        self.begin(0)

    def begin(self, rows: int) -> None:
        self.read_BT: Tensor | None = None

    def step(self, tokens_B: Tensor, place: int) -> Tensor:
        latest_B1 = tokens_B[:, None]
        self.read_BT = latest_B1 if self.read_BT is None else torch.cat([self.read_BT, latest_B1], dim=1)
        with _cast(tokens_B, self.dtype):
            logits_BV: Tensor = self.model(self.read_BT, use_cache=False).logits[:, -1]
        return logits_BV

    def keep(self, index: Tensor) -> None:
        if self.read_BT is not None:
            self.read_BT = self.read_BT[index]


def agrees(cached: Decoder, model: PreTrainedModel, places: int) -> bool:
    """Whether a decoder gives the distribution of the model's full pass at the first places, before and after rows have
    left. Whatever it raises means that it does not.
    """
    device = next(model.parameters()).device
    draws = torch.Generator().manual_seed(0)
    tokens_BT = torch.randint(0, model.config.get_text_config().vocab_size, (4, places), generator=draws).to(device)
    kept = torch.tensor([0, 2, 3], device=device)
    cached_dtype, worst = getattr(cached, "dtype", torch.float32), torch.zeros((), device=device)
    try:
        cached.dtype = torch.float32  # type: ignore[attr-defined]  # what is compared is the cache, not rounding
        with torch.inference_mode():
            whole_BTV = model(tokens_BT, use_cache=False).logits.float().log_softmax(-1)
            cached.begin(4)
            for place in range(places):
                if place == places // 2:
                    cached.keep(kept)
                    tokens_BT, whole_BTV = tokens_BT[kept], whole_BTV[kept]
                found_BV = cached.step(tokens_BT[:, place], place).float().log_softmax(-1)
                worst = torch.maximum(worst, (found_BV - whole_BTV[:, place]).abs().max())
    except Exception:  # an architecture's own code may raise anything; the exact decoder needs none of it
        return False
    finally:
        cached.begin(0)
        cached.dtype = cached_dtype  # type: ignore[attr-defined]
    return bool(worst < TOLERANCE)


def _cast(like: Tensor, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(like.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
