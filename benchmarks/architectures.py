"""docs/architectures.md: which causal architectures of the installed transformers work, each tried in its own process.

`python -m benchmarks.architectures [NAME …]` tries all, or those named and keeps the page's other rows. Each is fitted
and sampled for two generations at a tiny size: as it is, then as a decoder where it has that switch, then with
`OVERRIDES`.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "architectures.md"
LIMIT = 240.0
"""Seconds that one try may take."""

JOBS = 3
ROPE: dict[str, Any] = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
OFFSET: dict[str, Any] = {"is_decoder": True, "max_position_embeddings": 18}
"""Of models whose places begin at 2."""

OVERRIDES: dict[str, dict[str, Any]] = {
    **{key: {"qk_rope_head_dim": 16} for key in ("axk1", "deepseek_v3", "youtu")},
    **{key: {"mamba_n_heads": 4, "mamba_d_head": 16} for key in ("bamba", "granitemoehybrid")},
    **dict.fromkeys(("camembert", "data2vec-text", "roberta", "roberta-prelayernorm"), OFFSET),
    **dict.fromkeys(("xlm-roberta", "xlm-roberta-xl"), OFFSET),
    **dict.fromkeys(("hunyuan_v1_dense", "hunyuan_v1_moe", "ministral"), ROPE),
    **{key: {"decoder_attention_heads": 2} for key in ("plbart", "whisper")},
    "codegen": {"num_attention_heads": 4, "rotary_dim": 8},
    "deepseek_v2": {"num_experts_per_tok": 2, "moe_intermediate_size": 64, "n_routed_experts": 4},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "inkling_text": {"moe_intermediate_size": 64},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4, "head_dim": 16, "n_groups": 1},
    "mimo_v2_flash": {"moe_intermediate_size": 64},
    "modernbert-decoder": {"pad_token_id": 1},
    "qwen3_next": {"moe_intermediate_size": 64, "shared_expert_intermediate_size": 64},
    "xlm": {"causal": True},
    "xmod": {**OFFSET, "default_language": "en_XX"},
    "zamba": {"layer_types": ["mamba", "hybrid"]},
    "zamba2": {"layer_types": ["mamba", "hybrid"]},
}
"""Fields that make an architecture work at the tiny size, where its defaults do not."""

WORKS, REFUSED, SLOW, FAILS = "works", "refused", "slow", "fails"

HEAD = """# Architectures

`architecture:` of the family `language` is any causal `model_type` of transformers. This is what became of each of
the {count} that transformers {version} has, at width {width}, {layers} layers, {heads} heads and a vocabulary of
{vocabulary}: fitted and sampled for two generations. Made by `python -m benchmarks.architectures`, which runs each in a
process of its own.

*works*: as it is, or with the `overrides` named. *refused*: by one line before anything is trained. *slow*: not done
within a few minutes of a busy core. Parameters are those of the tiny model; where they are many more than the {plain}
of gpt2, the architecture has fields of its own (experts, ranks, states) that `overrides` should make smaller.

{summary}

| `architecture` | | parameters | overrides, or why not |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one try.

    Attributes:
        word: works, refused before anything ran, slow, or fails later.
        parameters: of the tiny model; 0 where it could not be built.
        why: one line, where it does not work.
    """

    word: str
    parameters: int = 0
    why: str = ""


def causal() -> list[str]:
    """Every causal `model_type` of the installed transformers."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def family(name: str, overrides: Mapping[str, Any]) -> Any:
    """The tiny config of an architecture."""
    from trainables.families import FAMILIES

    shape = {"width": 32, "layers": 2, "heads": 2, "context": 16, "vocabulary": 300}
    if _names_inner(name):
        shape["intermediate"] = 64
    fit = {"steps": 2, "batch": 2, "test_rows": 8, "sample_rows": 4}
    return FAMILIES.get("language").model_validate({"architecture": name, "overrides": dict(overrides)} | shape | fit)


def _names_inner(name: str) -> bool:
    """Whether the width inside a feed-forward block can be stated by `intermediate`."""
    from transformers import CONFIG_MAPPING

    from trainables.families.language.sizes import INNER

    with suppress(Exception):  # a config that has no defaults
        return name in INNER or hasattr(CONFIG_MAPPING[name](), "intermediate_size")
    return True


def attempt(name: str, overrides: Mapping[str, Any], store: Any) -> Outcome:
    """Two generations of an architecture, in this process."""
    from trainables import Cell
    from trainables.policies import POLICIES
    from trainables.recursion import run

    try:
        cell = Cell(family=family(name, overrides), policy=POLICIES.get("replace")(), rows=8, generations=2)
        cell.family.check(cell.rows, 1)
        parameters = cell.family.parameters
    except ValueError as problem:
        return Outcome(REFUSED, 0, reason(str(problem)))
    try:
        losses = [record.test_loss for record in run(cell, store)]
    except Exception as problem:  # what an architecture's code raises is what this is about
        return Outcome(FAILS, parameters, f"{type(problem).__name__}: {reason(str(problem))}")
    return Outcome(WORKS if all(map(math.isfinite, losses)) else FAILS, parameters, f"losses {losses}")


def reason(text: str) -> str:
    """The line of a refusal that says why, without the words that all of them share."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if re.search(r"(architecture|overrides): ", line)), (lines or [""])[0])
    line = re.sub(r"^.*?(architecture|overrides): ", "", line).split(" [type=")[0]
    inner = re.search(r"does not work with its dimensions and overrides \((.*)\)$", line)
    return (inner.group(1) if inner else line).replace("|", "¦")[:200]


def apart(work: Callable[[], Outcome], limit: float = LIMIT) -> Outcome:
    """What `work` finds in a forked process at the lowest priority, which ends after `limit` seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _in_child(work, write)
    os.close(write)
    done = _wait(child, time.monotonic() + limit)
    with os.fdopen(read) as file:
        answer = file.read() if done else ""
    if not done:
        return Outcome(SLOW, 0, f"took more than {limit:.0f} s")
    return Outcome(**json.loads(answer)) if answer else Outcome(FAILS, 0, "the process died")


def _in_child(work: Callable[[], Outcome], write: int) -> None:
    os.nice(19)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        os.write(write, json.dumps(asdict(work())).encode())
    finally:
        os._exit(0)


def _wait(child: int, end: float) -> bool:
    """Whether a process ended by itself in time."""
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def ways(name: str) -> Iterator[dict[str, Any]]:
    """Overrides to try, in order."""
    from transformers import CONFIG_MAPPING

    yield {}
    with suppress(Exception):  # a config that has no defaults
        if hasattr(CONFIG_MAPPING[name](), "is_decoder"):
            yield {"is_decoder": True}
    if name in OVERRIDES:
        yield OVERRIDES[name]


def best(name: str, store: Any) -> Outcome:
    """What became of the first way that works, else of the first, in this process."""
    found: list[Outcome] = []
    for overrides in ways(name):
        outcome = attempt(name, overrides, store)
        if outcome.word == WORKS:
            return replace(outcome, why=f"`{json.dumps(overrides)}`" if overrides else "")
        found.append(outcome)
    return found[0]


def row(name: str, store: Any) -> str:
    """The page's row."""
    outcome = apart(lambda: best(name, store))
    count = f"{outcome.parameters:,}" if outcome.parameters else ""
    return f"| {name} | {outcome.word} | {count} | {outcome.why} |"


def rows_of(page: str) -> dict[str, str]:
    """A page's rows by architecture."""
    return {line.split("|")[1].strip(): line for line in page.splitlines() if re.match(r"\| [a-z0-9]", line)}


def page(rows: Mapping[str, str]) -> str:
    """The page of these rows."""
    import transformers

    names = causal()
    words = [rows[name].split("|")[2].strip() for name in names if name in rows]
    summary = ", ".join(f"{words.count(word)} {word}" for word in (WORKS, REFUSED, SLOW, FAILS) if word in words) + "."
    shape = family("gpt2", {})
    head = HEAD.format(
        count=len(names),
        version=transformers.__version__,
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        vocabulary=shape.vocabulary,
        plain=f"{shape.parameters:,}",
        summary=summary,
    )
    return head + "\n".join(rows[name] for name in names if name in rows) + "\n"


def main(chosen: Sequence[str]) -> None:
    """Try those chosen, or all, and write the page."""
    from trainables.store import MemoryStore

    store = MemoryStore()
    print("gpt2 first, for the tokenizer that all share:", attempt("gpt2", {}, store), flush=True)
    names = list(chosen) or causal()
    rows = rows_of(PAGE.read_text()) if chosen and PAGE.exists() else {}
    with ThreadPoolExecutor(JOBS) as pool:
        for name, line in zip(names, pool.map(lambda name: row(name, store), names), strict=True):
            print(line, flush=True)
            rows[name] = line
            PAGE.write_text(page(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
