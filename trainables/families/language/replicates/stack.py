"""Many language models of one shape as one: their parameters stacked, read by a forward pass of their architecture.

Letters in tensor names: see `layers.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainables.families.language.loss import CHUNK
from trainables.families.language.replicates.layers import Turns, attend, embed, gated, gelu, linear, norm

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Attention = Callable[[int, Tensor], Tensor]
EMBEDDING, PLACES, LAST, HEAD = "embedding", "places", "last norm", "head"
"""Names of factors outside the blocks."""


@dataclass(frozen=True)
class Factor:
    """What one factor of a product is made of.

    Attributes:
        parts: names of a model's parameters.
        turned: whether these are [outputs, inputs], and lie beside each other in the factor, [inputs, outputs].
    """

    parts: tuple[str, ...]
    turned: bool = False

    def of(self, state: Mapping[str, Tensor]) -> Tensor:
        """The factor of a model."""
        if not self.turned:
            return state[self.parts[0]].detach()
        return torch.cat([state[part].detach().t() for part in self.parts], dim=1)

    def apart(self, factor: Tensor, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
        """The inverse of `of`."""
        if not self.turned:
            return {self.parts[0]: factor}
        pieces = torch.split(factor, [shapes[part][0] for part in self.parts], dim=1)
        return {part: piece.t() for part, piece in zip(self.parts, pieces, strict=True)}


class Stack(ABC):
    """Models of one architecture and shape, `parameters` holding each factor of all of them, [R, …].

    Args:
        like: a model of the architecture and shape, of which only what is no parameter counts.
        states: each model's parameters by name.
    """

    def __init__(self, like: PreTrainedModel, states: Sequence[Mapping[str, Tensor]]) -> None:
        config = like.config
        self.heads, self.layers = config.num_attention_heads, config.num_hidden_layers
        self._shapes = {name: p.shape for name, p in like.named_parameters()}
        self._factors = {name: f for name, f in self.factors() if f.parts[0] in self._shapes}
        self.parameters = {
            name: torch.stack([factor.of(state) for state in states]).contiguous().to(like.device).requires_grad_()
            for name, factor in self._factors.items()
        }

    @abstractmethod
    def factors(self) -> Iterable[tuple[str, Factor]]:
        """Every factor by name; one that a model lacks is left out."""

    @abstractmethod
    def through(self, tokens_RN: Tensor, places_RTD: Tensor | None, attention: Attention) -> Tensor:
        """The last hidden states after the final norm, [R, N, D].

        Args:
            tokens_RN: what is read.
            places_RTD: what is added for their places, in turn, where the architecture has learnt these.
            attention: of a layer's number and its queries, keys and values side by side, [R, N, 3 D]; gives [R, N, D].
        """

    @abstractmethod
    def turns(self, length: int) -> Turns | None:
        """Rotations of all places, where the architecture has them."""

    def hidden(self, tokens_RBT: Tensor) -> Tensor:
        """Of whole rows, [R, N, D]."""
        length = tokens_RBT.shape[2]
        turns, places = self.turns(length), self.parameters.get(PLACES)
        shown = None if places is None else places[:, :length]
        return self.through(tokens_RBT.flatten(1), shown, lambda _, qkv: attend(qkv, length, self.heads, turns))

    @property
    def head(self) -> Tensor:
        """What gives logits, [R, V, D]."""
        return self.parameters.get(HEAD, self.parameters[EMBEDDING])

    @property
    def decaying(self) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters that decay, and those that do not: biases, gains and other vectors."""
        ranked = [(len(self._shapes[self._factors[name].parts[0]]), p) for name, p in self.parameters.items()]
        return [p for rank, p in ranked if rank >= 2], [p for rank, p in ranked if rank < 2]

    def weights(self) -> list[dict[str, np.ndarray]]:
        """Each model's parameters by name, in single precision."""
        stacked = {name: p.detach().float().cpu() for name, p in self.parameters.items()}
        return [self._weights(stacked, number) for number in range(len(self.head))]

    def _weights(self, stacked: Mapping[str, Tensor], number: int) -> dict[str, np.ndarray]:
        found: dict[str, Tensor] = {}
        for name, factor in self._factors.items():
            found |= factor.apart(stacked[name][number], self._shapes)
        return {name: found[name].contiguous().numpy() for name in self._shapes}


class Gpt2Stack(Stack):
    """GPT-2 without dropout; matrices lie as [inputs, outputs]."""

    def __init__(self, like: PreTrainedModel, states: Sequence[Mapping[str, Tensor]]) -> None:
        super().__init__(like, states)
        self._eps: float = like.config.layer_norm_epsilon

    def factors(self) -> Iterable[tuple[str, Factor]]:
        names = {EMBEDDING: "transformer.wte.weight", PLACES: "transformer.wpe.weight", HEAD: "lm_head.weight"}
        sides = ("weight", "bias")
        names |= {f"{LAST} {side}": f"transformer.ln_f.{side}" for side in sides}
        parts = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
        for number in range(self.layers):
            names |= {
                f"{number} {part} {side}": f"transformer.h.{number}.{part}.{side}" for part in parts for side in sides
            }
        return [(name, Factor((part,))) for name, part in names.items()]

    def turns(self, length: int) -> None:
        return None

    def through(self, tokens_RN: Tensor, places_RTD: Tensor | None, attention: Attention) -> Tensor:
        x_RND, change_RND = embed(tokens_RN, self.parameters[EMBEDDING], places_RTD), None
        for number in range(self.layers):
            x_RND, read_RND = self._norm(f"{number} ln_1", x_RND, change_RND)
            attended_RND = attention(number, self._linear(f"{number} attn.c_attn", read_RND))
            x_RND, read_RND = self._norm(f"{number} ln_2", x_RND, self._linear(f"{number} attn.c_proj", attended_RND))
            inner = gelu(self._linear(f"{number} mlp.c_fc", read_RND))
            change_RND = self._linear(f"{number} mlp.c_proj", inner)
        return self._norm(LAST, x_RND, change_RND)[1]

    def _norm(self, name: str, x_RND: Tensor, change_RND: Tensor | None) -> tuple[Tensor, Tensor]:
        gain, shift = self.parameters[f"{name} weight"], self.parameters[f"{name} bias"]
        return norm(x_RND, change_RND, gain, shift, self._eps)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return linear(x, self.parameters[f"{name} weight"], self.parameters[f"{name} bias"])


class LlamaStack(Stack):
    """Llama without biases or shared keys."""

    def __init__(self, like: PreTrainedModel, states: Sequence[Mapping[str, Tensor]]) -> None:
        super().__init__(like, states)
        self._eps: float = like.config.rms_norm_eps
        self._rotary: Any = like.model.rotary_emb

    def factors(self) -> Iterable[tuple[str, Factor]]:
        found = {EMBEDDING: "model.embed_tokens", LAST: "model.norm", HEAD: "lm_head"}
        yield from ((name, Factor((f"{part}.weight",))) for name, part in found.items())
        groups = {
            "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "out": ("self_attn.o_proj",),
            "gate up": ("mlp.gate_proj", "mlp.up_proj"),
            "down": ("mlp.down_proj",),
        }
        for number in range(self.layers):
            at = f"model.layers.{number}"
            for name, group in groups.items():
                yield f"{number} {name}", Factor(tuple(f"{at}.{part}.weight" for part in group), turned=True)
            yield f"{number} norm", Factor((f"{at}.input_layernorm.weight",))
            yield f"{number} second norm", Factor((f"{at}.post_attention_layernorm.weight",))

    def through(self, tokens_RN: Tensor, places_RTD: Tensor | None, attention: Attention) -> Tensor:
        found = self.parameters
        x_RND, change_RND = embed(tokens_RN, found[EMBEDDING], places_RTD), None
        for number in range(self.layers):
            x_RND, read_RND = norm(x_RND, change_RND, found[f"{number} norm"], None, self._eps)
            attended_RND = attention(number, linear(read_RND, found[f"{number} qkv"]))
            change_RND = linear(attended_RND, found[f"{number} out"])
            x_RND, read_RND = norm(x_RND, change_RND, found[f"{number} second norm"], None, self._eps)
            change_RND = linear(gated(linear(read_RND, found[f"{number} gate up"])), found[f"{number} down"])
        return norm(x_RND, change_RND, found[LAST], None, self._eps)[1]

    def turns(self, length: int) -> Turns:
        like = self.parameters[EMBEDDING]
        cos, sin = self._rotary(like, torch.arange(length, device=like.device)[None])
        half = sin.shape[-1] // 2
        return cos[0].float().contiguous(), torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1).float()


STACKS: Mapping[str, type[Stack]] = {"gpt2": Gpt2Stack, "llama": LlamaStack}
"""By architecture."""


def stacked(like: PreTrainedModel, states: Sequence[Mapping[str, Tensor]]) -> Stack:
    """Models of the architecture and shape of `like` as one."""
    return STACKS[like.config.model_type](like, states)


def chunk(head_RVD: Tensor) -> int:
    """Tokens of each replicate whose logits are held at a time."""
    count, vocabulary, _ = head_RVD.shape
    return max(CHUNK["cpu" if head_RVD.device.type == "cpu" else "cuda"] // (count * vocabulary), 1)
