"""Sampling after BOS and prompts: large batches, cached decoding, the inverse of the cumulative distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainables.families.base import Diverged
from trainables.families.language.model import sampling_dtype
from trainables.families.language.sampling.prompts import Prompts, by_turns, prompts_of
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig
    from trainables.families.language.gpu import Growth
    from trainables.families.language.sampling.decoder import Decoder

COMPACT_EVERY, SPARSE = 8, 0.75
"""Every so many places, finished documents leave the batch if fewer than this share still grows."""


def sample_rows(
    config: LanguageConfig,
    model: PreTrainedModel,
    rows: int,
    stream: Stream,
    bias: float = 1.0,
    real: Rows | None = None,
) -> Rows:
    """`rows` rows from the model at temperature `config.temperature * bias`; `real` rows give prompts, one a row.

    Raises:
        Diverged: the model's probabilities are not finite.
    """
    import torch

    from trainables.families.language import gpu
    from trainables.families.language.sampling.decoder import decoder

    if gpu.can_grow(config, model):
        work = gpu.growth(config, model, sampling_dtype(config), rows)
        return sample_together(config, work, rows, [stream], bias, [real])[0]
    generator = seeded(stream.integer())
    prompts = prompts_of(config, real, rows)
    pieces = []
    with torch.inference_mode():
        grown = decoder(model, config.context, sampling_dtype(config))
        most = config.side_by_side(pick_device().type)
        if config.decoding == "beam":
            most = max(most // config.beams, 1)
        for start in range(0, rows, most):
            points = torch.rand(min(most, rows - start), config.context, generator=generator)
            given = prompts.part(slice(start, start + len(points)))
            grow = _searched if config.decoding == "beam" else _grow
            pieces.append(grow(config, grown, points.to(pick_device()), config.temperature * bias, given))
    return _cut(config, np.concatenate(pieces), prompts.lengths)


def sample_together(
    config: LanguageConfig,
    work: Growth,
    rows: int,
    streams: Sequence[Stream],
    bias: float = 1.0,
    real: Sequence[Rows | None] = (None,),
) -> list[Rows]:
    """`rows` rows of each model that `work` grows, by recorded steps; of the same points as `sample_rows` on a CPU.

    Args:
        config: of all models.
        work: holds their weights.
        rows: of each model.
        streams: each model's own.
        bias: of the temperature.
        real: rows that give prompts, each model's own.

    Raises:
        Diverged: a model's probabilities are not finite.
    """
    import torch

    each, lanes, pieces = work.rows // work.lanes, work.lanes, []
    generators = [seeded(stream.integer()) for stream in streams]
    prompts = [prompts_of(config, some, rows) for some in real]
    together = by_turns(prompts)
    with torch.inference_mode():
        for start in range(0, rows, each):
            count = min(each, rows - start)
            points = torch.stack([torch.rand(count, config.context, generator=draws) for draws in generators], dim=1)
            given = together.part(slice(start * lanes, (start + count) * lanes))
            beginnings = torch.from_numpy(given.tokens), torch.from_numpy(given.inside)
            tokens, check = work.grown(points.flatten(0, 1), config.temperature * bias, *beginnings)
            if not math.isfinite(check):
                raise Diverged("sampling: the model's probabilities are not finite")
            pieces.append(tokens.reshape(count, lanes, -1))
    whole = np.concatenate(pieces)
    return [_cut(config, whole[:, lane], its.lengths) for lane, its in enumerate(prompts)]


def _cut(config: LanguageConfig, tokens: np.ndarray, given: np.ndarray) -> Rows:
    """Whole rows, or rows up to the first EOS behind their prompt; with or without the prompt."""
    if config.sequences == "fixed_length" and (config.keep_prompts or not given.any()):
        return Rows.fixed(tokens.reshape(-1), config.context)
    places = np.arange(config.context)
    ended = (tokens == config.eos) & (places >= given[:, None]) & (config.sequences == "documents")
    stops = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, config.context)
    begins = np.zeros_like(given) if config.keep_prompts else given
    starts = np.concatenate([[0], np.cumsum(stops - begins)])
    kept = tokens[(places >= begins[:, None]) & (places < stops[:, None])]
    paired = config.prompts == "source" and config.keep_prompts
    return Rows(kept, starts, prompts=given if paired else None)


def _searched(
    config: LanguageConfig, grown: Decoder, points_BT: torch.Tensor, temperature: float, given: Prompts
) -> np.ndarray:
    """Tokens, [B, context], that beam search finds; of `points` only the number counts."""
    import torch

    from trainables.families.language.sampling.beam import search

    eos = None if config.sequences == "fixed_length" else config.eos
    tokens, inside = (torch.from_numpy(part).to(points_BT.device) for part in (given.tokens, given.inside))
    return search(grown, config.bos, eos, config.beams, tokens, inside, config.context).cpu().numpy()


def _grow(
    config: LanguageConfig, grown: Decoder, points_BT: torch.Tensor, temperature: float, given: Prompts
) -> np.ndarray:
    """Tokens, [B, context]: a row for each row of uniform `points`; what follows a document's EOS is noise."""
    import torch

    given_BT, inside_BT = (torch.from_numpy(part).to(points_BT.device) for part in (given.tokens, given.inside))
    longest = int(given.lengths.max())
    rows, length = points_BT.shape
    tokens = torch.full((rows, length), config.eos, device=points_BT.device)
    alive = torch.arange(rows, device=points_BT.device)
    latest = torch.full((rows,), config.bos, device=points_BT.device)
    checks = torch.zeros((), device=points_BT.device)
    points_TB = points_BT.T.contiguous()
    grown.begin(rows)
    for place in range(length):
        latest, check = drawn(config, grown.step(latest, place), points_TB[place], temperature)
        checks += check
        if place < longest:
            latest = torch.where(inside_BT[alive, place], given_BT[alive, place], latest)
        tokens[alive, place] = latest
        if place < longest:
            continue
        if config.sequences == "documents" and (place + 1) % COMPACT_EVERY == 0:
            unfinished = (tokens[alive, longest : place + 1] != config.eos).all(dim=1).nonzero()[:, 0]
            if not len(unfinished):
                break
            if len(unfinished) < SPARSE * len(alive):
                alive, latest, points_TB = alive[unfinished], latest[unfinished], points_TB[:, unfinished]
                grown.keep(unfinished)
    if not math.isfinite(float(checks)):
        raise Diverged("sampling: the model's probabilities are not finite")
    return tokens.cpu().numpy()


def drawn(
    config: LanguageConfig, logits_BV: torch.Tensor, points_B: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens, [B], and a sum that is finite if the logits were, which may be overwritten."""
    import torch

    if config.decoding == "greedy":
        best = logits_BV.max(dim=-1)
        return best.indices.clone(), best.values.sum()
    if logits_BV.device.type == "cpu" and config.top_p == 1.0 and not 0 < config.top_k < logits_BV.shape[-1]:
        from trainables.families.language.cpu import drawn as by_kernel

        tokens_B = torch.empty(len(logits_BV), dtype=torch.int64)
        logits = logits_BV.float().contiguous().numpy()
        check = by_kernel(logits, points_B.numpy(), np.float32(1 / temperature), tokens_B.numpy())
        return tokens_B, torch.tensor(check)
    chances_BV = tempered(logits_BV, temperature)
    # a softmax with one logit that is no number has no number anywhere
    return inverse(cut(config, chances_BV), points_B), chances_BV[:, 0].sum()


def tempered(logits_BV: torch.Tensor, temperature: float) -> torch.Tensor:
    """Chances of tokens, [B, V], in single precision."""
    import torch

    logits_BV = logits_BV.float()
    return torch.softmax(logits_BV if temperature == 1.0 else logits_BV / temperature, dim=-1)


def cut(config: LanguageConfig, chances_BV: torch.Tensor) -> torch.Tensor:
    """What is sampled from, [B, V]: cut to `top_k`, then to `top_p`; not normalised after cuts."""
    import torch

    if 0 < config.top_k < chances_BV.shape[-1]:
        least = chances_BV.topk(config.top_k, dim=-1).values[:, -1:]
        chances_BV = chances_BV.masked_fill(chances_BV < least, 0.0)
    if config.top_p < 1.0:
        ordered, order = chances_BV.sort(dim=-1, descending=True)
        before = ordered.cumsum(dim=-1) - ordered
        kept = ordered.masked_fill(~(before < config.top_p * ordered.sum(dim=-1, keepdim=True)), 0.0)
        chances_BV = torch.zeros_like(chances_BV).scatter_(-1, order, kept)
    return chances_BV


def inverse(chances_BV: torch.Tensor, points_B: torch.Tensor) -> torch.Tensor:
    """Tokens, [B], where the cumulative distribution passes `points` (uniform in [0, 1)).

    In two steps, a block of about √V tokens and then one of its tokens, which sums V numbers but once.
    A token of no chance is never chosen.
    """
    import torch

    rows, vocabulary = chances_BV.shape
    block = block_size(vocabulary)
    blocks_BNK = torch.nn.functional.pad(chances_BV, (0, -vocabulary % block)).view(rows, -1, block)
    table_BN = blocks_BNK.sum(dim=-1).cumsum(dim=-1)
    target_B1 = points_B[:, None] * table_BN[:, -1:]
    chosen_B = first_above(table_BN, target_B1)
    before = table_BN.gather(1, (chosen_B - 1).clamp_min(0)[:, None])[:, 0].masked_fill(chosen_B == 0, 0.0)
    inside_BK = blocks_BNK[torch.arange(rows, device=chosen_B.device), chosen_B].cumsum(dim=-1)
    found_B = chosen_B * block + first_above(inside_BK, target_B1 - before[:, None])
    return found_B.clamp_max(vocabulary - 1)  # only chances that are no numbers lead further


def block_size(vocabulary: int) -> int:
    """About √V; a divisor of V where there is one near, which saves a copy of all chances."""
    root = math.isqrt(vocabulary)
    return next((size for size in range(root, root // 2, -1) if vocabulary % size == 0), root)


def first_above(table: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The first column of each row's ascending table that exceeds the target, which rounding keeps below the last."""
    import torch

    last = table[:, -1:]
    below = torch.minimum(target, torch.nextafter(last, torch.zeros_like(last)))
    return torch.searchsorted(table, below, right=True)[:, 0].clamp_max(table.shape[-1] - 1)
