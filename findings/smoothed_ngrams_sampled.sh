#!/usr/bin/env bash
# nltk 3.10.4: `generate` of a smoothed n-gram model draws only words that were seen in the same context, whatever chance the
# model gives the others.
#
# Guess before running: a word is drawn with the chance that `score` states; that is what a model is smoothed for.
# Seen: "b" or "c" follow "a" in the text; add-one smoothing gives them 35 % and the eleven other words 65 %, of which none
# comes in 5,000 draws. By Witten and Bell's rule and absolute discounting likewise, with 30 and 33 %. `generate` draws among
# the counted words of the longest context that has any, by their scores; scores themselves add up to 1, and perplexity goes by
# them.
# Output seen: "Lidstone: 2 words drawn in 5000, their chance by score 0.353", "WittenBellInterpolated: 2 words drawn …, …
# 0.703", "AbsoluteDiscountingInterpolated: 2 words drawn …, … 0.666", "MLE: 2 words drawn …, … 1.000".
# Who it hits: recursions of Markov chains: no transition that dies out can come back, however strongly one smooths, and
# perplexity on held-out text says nothing about what is handed on. Draw by `score` over the vocabulary.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nltk==3.10.4 2> /dev/null
cat > "$folder/ngrams.py" <<'P'
import random
from collections import Counter

from nltk.lm import MLE, AbsoluteDiscountingInterpolated, Lidstone, WittenBellInterpolated
from nltk.lm.preprocessing import padded_everygram_pipeline

DRAWS = 5000
TEXT = [["a", "b"]] * 3 + [["a", "c"]] + [[word] for word in "defghij"]
MODELS = {
    "Lidstone": Lidstone(1.0, 2),
    "WittenBellInterpolated": WittenBellInterpolated(2),
    "AbsoluteDiscountingInterpolated": AbsoluteDiscountingInterpolated(2),
    "MLE": MLE(2),
}
source = random.Random(0)
for name, model in MODELS.items():
    model.fit(*padded_everygram_pipeline(2, TEXT))
    drawn = Counter(model.generate(1, text_seed=["a"], random_seed=source) for _ in range(DRAWS))
    chance = sum(model.score(word, ["a"]) for word in drawn)
    print(f"{name}: {len(drawn)} words drawn in {DRAWS}, their chance by score {chance:.3f}")
    assert set(drawn) == {"b", "c"}
    assert abs(sum(model.score(word, ["a"]) for word in model.vocab) - 1) < 1e-9
    assert chance == 1 if name == "MLE" else chance < 0.95
P
"$folder/venv/bin/python" "$folder/ngrams.py"
