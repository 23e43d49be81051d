"""Many language models one token at a time, on a device: rows of all in one batch, each through its own weights.

Letters in tensor names: see `layers.py`; B rows of all models, which take turns: row b is of model b mod R.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.families.language.replicates.layers import turned
from trainables.families.language.replicates.stack import EMBEDDING, HEAD, PLACES, Attention, Stack
from trainables.families.language.sampling import Cache

OUTSIDE = (EMBEDDING, PLACES, HEAD)
"""Matrices that stay in single precision."""


class StackDecoder:
    """Copies of the stack's matrices in the precision of products; all else in single precision."""

    def __init__(self, stack: Stack, length: int, dtype: torch.dtype, cache: Callable[..., Cache]) -> None:
        self.stack, self.lanes = _copied(stack, dtype), len(stack.head)
        embedding = self.stack.parameters[EMBEDDING]
        self.width = embedding.shape[2] // stack.heads
        like = embedding.new_empty(0, dtype=dtype)
        self.cache = cache(stack.layers, stack.heads, length, self.width, like)
        turns = stack.turns(length)
        self.turns = [] if turns is None else [part.clone() for part in turns]

    @property
    def make(self) -> str:
        """What decoders have alike whose weights can take each other's place."""
        shapes = {name: tuple(p.shape) for name, p in self.stack.parameters.items()}
        return f"{type(self.stack).__name__} {self.stack.heads} {shapes}"

    def step(self, tokens_B: Tensor, place: Tensor) -> Tensor:
        """Logits of the next token, [B, V], after reading the token at `place`."""
        tokens_RN = tokens_B.view(-1, self.lanes).T
        learnt = self.stack.parameters.get(PLACES)
        here = None if learnt is None else learnt.index_select(1, place)
        hidden_RND = self.stack.through(tokens_RN, here, self._attention(place))
        return self._rows(torch.bmm(hidden_RND, self.stack.head.mT))

    def tensors(self) -> list[Tensor]:
        """All that a step reads of the models, and of a place."""
        return [*self.stack.parameters.values(), *self.turns]

    def _attention(self, place: Tensor) -> Attention:
        turns = [part.index_select(0, place) for part in self.turns]

        def attend(number: int, qkv: Tensor) -> Tensor:
            q_BHK, k_BHK, v_BHK = self._rows(qkv).float().view(-1, 3, self.stack.heads, self.width).unbind(1)
            if turns:
                q_BHK, k_BHK = (turned(part, *turns) for part in (q_BHK, k_BHK))
            found_BD = self.cache.attend(number, place, q_BHK, k_BHK, v_BHK, self.width**-0.5)
            return found_BD.view(-1, self.lanes, found_BD.shape[1]).transpose(0, 1)

        return attend

    @staticmethod
    def _rows(x_RND: Tensor) -> Tensor:
        """[B, D], models taking turns."""
        return x_RND.transpose(0, 1).reshape(-1, x_RND.shape[2])


def _copied(stack: Stack, dtype: torch.dtype) -> Stack:
    """The stack with copies of its parameters, without gradients."""
    products = {id(p) for p in stack.decaying[0]} - {id(stack.parameters.get(name)) for name in OUTSIDE}
    found = copy.copy(stack)
    found.parameters = {
        name: p.detach().to(dtype if id(p) in products else torch.float32, copy=True)
        for name, p in stack.parameters.items()
    }
    return found
