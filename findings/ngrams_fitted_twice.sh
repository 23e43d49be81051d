#!/usr/bin/env bash
# nltk 3.10.4: `fit` of an n-gram model that was fitted before adds to its counts, and takes words it has not met for unknown
# ones.
#
# Guess before running: a second `fit` fits anew, to the second text alone, as `fit` does elsewhere.
# Seen: counts of both texts are pooled, and the vocabulary stays that of the first text, although the second one's is passed:
# its words all become `<UNK>`. For a text without new words the model is that of both texts together.
# Output seen: "second text: P(b) 1.000, counts 6", "first, then second: P(b) 0.750, counts 12", "both at once: P(b) 0.750,
# counts 12", "new word c: P(c) 0.500, P(never seen) 0.500, known: ['<UNK>', 'a', 'b']".
# Who it hits: recursions of Markov chains with one model object: data that ought to be replaced is accumulated, which is just
# what keeps the error bounded. Make a new model for each generation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nltk==3.10.4 2> /dev/null
cat > "$folder/again.py" <<'P'
from nltk.lm import MLE
from nltk.lm.preprocessing import padded_everygram_pipeline

FIRST, SECOND, OTHER = [["a", "b"]] * 3, [["b", "b"]] * 3, [["c", "c"]] * 3


def fitted(*texts):
    model = MLE(1)
    for text in texts:
        model.fit(*padded_everygram_pipeline(1, text))
    return model


def shown(name, model, word):
    print(f"{name}: P({word}) {model.score(word):.3f}, counts {model.counts.N()}")
    return model.score(word), model.counts.N()


fresh = shown("second text", fitted(SECOND), "b")
again = shown("first, then second", fitted(FIRST, SECOND), "b")
both = shown("both at once", fitted(FIRST + SECOND), "b")
new = fitted(FIRST, OTHER)
print(f"new word c: P(c) {new.score('c'):.3f}, P(never seen) {new.score('zebra'):.3f}, known: {sorted(new.vocab)}")
assert fresh == (1.0, 6) and again == both == (0.75, 12)
assert new.score("c") == new.score("zebra") == 0.5 and "c" not in new.vocab
P
"$folder/venv/bin/python" "$folder/again.py"
