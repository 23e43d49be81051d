#!/usr/bin/env bash
# mauve-text 0.4.0 with scikit-learn 1.9.1: MAUVE does not change when all samples shrink towards zero, by a half or by a hundred.
#
# Guess before running: samples with a hundredth of the data's deviation lie in one spot of the data and score near 0, as copies
# of ten samples do.
# Seen: 0.999 at the data's own deviation, at a half, a tenth and a hundredth of it: the same number to the last digit.
# `compute_mauve` divides each row of features by its length before it clusters them, which no argument turns off, so that only
# directions from zero count. Shrunk towards a point away from zero, samples do score near 0; so do copies of ten samples.
# Output seen: "deviation 1: 0.999", "deviation 0.5: 0.999", "deviation 0.01: 0.999", "deviation 0.01 around 3: 0.005", "copies of
# ten samples: 0.007", "deviation 0.01 and a column of ones: 0.004".
# Who it hits: `p_features` that are standardised, or centred in some other way, as tables, latent codes and whitened embeddings
# are: the variance that dies out over generations is just what is divided out. Append a column of ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    mauve-text==0.4.0 faiss-cpu==1.15.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/shrunken.py" <<'P'
import mauve
import numpy as np

rng = np.random.default_rng(0)
real, model = rng.normal(size=(2, 4000, 16))


def scored(name, real, samples):
    score = mauve.compute_mauve(p_features=real, q_features=samples, num_buckets=50, verbose=False).mauve
    print(f"{name}: {score:.3f}")
    return score


def ones(rows):
    return np.column_stack([rows, np.ones(len(rows))])


own = scored("deviation 1", real, model)
assert own > 0.9
for deviation in (0.5, 0.01):
    assert scored(f"deviation {deviation}", real, deviation * model) == own
assert scored("deviation 0.01 around 3", real + 3, 0.01 * model + 3) < 0.1
assert scored("copies of ten samples", real, np.repeat(model[:10], 400, axis=0)) < 0.1
assert scored("deviation 1 and a column of ones", ones(real), ones(model)) > 0.9
assert scored("deviation 0.01 and a column of ones", ones(real), ones(0.01 * model)) < 0.1
P
"$folder/venv/bin/python" "$folder/shrunken.py" 2>&1 | grep -v "^WARNING clustering"
