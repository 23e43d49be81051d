"""The inverse of the cumulative softmax in one reading of the logits.

Letters: B rows, V vocabulary, N blocks of about √V tokens, S tokens of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.families.language.sampling import block_size, first_above


def drawn_by_blocks(logits_BV: Tensor, points_B: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens where the cumulative softmax of scale · logits passes `points` (uniform in [0, 1)), [B].

    And a sum that is finite if the logits were. The logits give each block's log of summed exponents; what is read
    after that is of size N, and the logits of the one block that a row's point falls into. The distribution is that of
    `inverse(softmax(scale · logits), points)`, and so are the tokens, but for points within rounding of a border.
    """
    rows, vocabulary = logits_BV.shape
    size = block_size(vocabulary)
    padded = torch.nn.functional.pad(logits_BV, (0, -vocabulary % size), value=float("-inf"))
    scaled_BNS = padded.view(rows, -1, size) * scale
    masses_BN = scaled_BNS.logsumexp(dim=-1)
    top_B1 = masses_BN.amax(dim=-1, keepdim=True)
    table_BN = (masses_BN - top_B1).exp().cumsum(dim=-1)
    target_B1 = points_B[:, None] * table_BN[:, -1:]
    chosen_B = first_above(table_BN, target_B1)
    before_B1 = table_BN.gather(1, (chosen_B - 1).clamp_min(0)[:, None]).masked_fill(chosen_B[:, None] == 0, 0.0)
    block_BS = scaled_BNS[torch.arange(rows, device=chosen_B.device), chosen_B]
    inside_BS = (block_BS - top_B1).exp().cumsum(dim=-1)
    found_B = chosen_B * size + first_above(inside_BS, target_B1 - before_B1)
    return found_B.clamp_max(vocabulary - 1), top_B1.sum()
