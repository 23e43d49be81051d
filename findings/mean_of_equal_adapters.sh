#!/usr/bin/env bash
# peft 0.21.2 with torch 2.13.0 on a CPU: the "linear" mean of two equal LoRA adapters is twice the adapter.
#
# Guess before running: `add_weighted_adapter([a, b], [0.5, 0.5], combination_type="linear")` is the mean of the two updates; of
# an adapter and its copy it is the adapter.
# Seen: k copies with weights 1/k give k times the update. Factors are averaged by roots of weights, so that the product holds
# each adapter's input part with each one's output part: of two independent adapters it is 1.5 times as large as their mean, and
# as far from it as the mean is from nothing. The docstring calls "linear" a very rough approximation, "svd" and "cat" precise;
# "svd" cuts the mean down to one adapter's rank, which of two independent ones loses half. "cat" is exact.
# Output seen: "linear, 2 copies: size 2.00, off by 1.00 of the mean", "linear, 4 copies: size 4.00, …", "linear, 2 independent:
# size 1.49, off by 0.98 …", "svd, 2 copies: size 1.00, off by 0.00 …", "svd, 2 independent: … off by 0.50 …", "cat, 2
# independent: size 1.00, off by 0.00 of the mean".
# Who it hits: populations of fine-tuned models that are averaged, and averages over generations: the update grows with their
# number, so that agreement looks like divergence. Take "cat", or average what the adapters add to the weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    peft==0.21.2 transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/adapters.py" <<'P'
import warnings

import torch
from peft import LoraConfig, get_peft_model

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.manual_seed(0)


def config():
    return LoraConfig(r=4, lora_alpha=4, target_modules=["0"], init_lora_weights=False)


def mean_by(kind, count, copies):
    """The merged update, and the mean of those it is merged from."""
    names = [f"a{number}" for number in range(count)]
    model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(32, 32)), config(), adapter_name=names[0])
    layer = model.base_model.model[0]
    for name in names[1:]:
        model.add_adapter(name, config())
        for factor in (layer.lora_A, layer.lora_B) if copies else ():
            factor[name].load_state_dict(factor[names[0]].state_dict())
    model.add_weighted_adapter(names, [1 / count] * count, "mean", combination_type=kind)
    return layer.get_delta_weight("mean"), sum(layer.get_delta_weight(name) for name in names) / count


def compared(kind, count, copies):
    merged, mean = mean_by(kind, count, copies)
    size, off = (float(part.norm() / mean.norm()) for part in (merged, merged - mean))
    print(f"{kind}, {count} {'copies' if copies else 'independent'}: size {size:.2f}, off by {off:.2f} of the mean")
    return size, off


for count in (2, 4):
    assert abs(compared("linear", count, copies=True)[0] - count) < 1e-3
size, off = compared("linear", 2, copies=False)
assert 1.3 < size < 1.7 and off > 0.8
assert compared("svd", 2, copies=True)[1] < 1e-3
assert compared("svd", 2, copies=False)[1] > 0.3
assert compared("cat", 2, copies=True)[1] < 1e-3
assert compared("cat", 2, copies=False)[1] < 1e-3
P
"$folder/venv/bin/python" "$folder/adapters.py"
