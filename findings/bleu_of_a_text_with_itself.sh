#!/usr/bin/env bash
# nltk 3.10.4: BLEU of a text with itself is 0.56 by smoothing method 1 and 1.12 by methods 5 and 7, for texts of three and of
# five words.
#
# Guess before running: a text has BLEU 1 with itself; smoothing only changes scores in which some count is 0.
# Seen: by method 1 a text of one word has 0.18 with itself, of two 0.32, of three 0.56: it has no four words in a row, which
# counts as one quadruple that is wrong. By methods 2 to 4 a text of three words is below 1 too. From four words on it is 1 by
# these; methods 5 and 7, which average neighbouring precisions with one above the first, give 1.01 for four words and 1.12
# for five and more. No warning.
# Output seen: "method 1: [0.178, 0.316, 0.562, 1.0, 1.0, 1.0]", "method 5: [0.192, 0.39, 0.703, 1.011, 1.117, …]" for texts
# of 1, 2, 3, 4, 5 and 8 words.
# Who it hits: self-BLEU as a measure of lost diversity, which is often taken with method 1: samples that are all one text of
# three words score 0.56, so that generations that collapse to ever shorter texts seem more diverse; and two papers' numbers
# differ by the method. Count short texts apart, by their longest run of words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check nltk==3.10.4 2> /dev/null
cat > "$folder/itself.py" <<'P'
import warnings

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

warnings.simplefilter("error")
LENGTHS = (1, 2, 3, 4, 5, 8)


def with_itself(method):
    smoothing = getattr(SmoothingFunction(), f"method{method}")
    texts = [list("abcdefgh")[:length] for length in LENGTHS]
    found = [round(sentence_bleu([text], text, smoothing_function=smoothing), 3) for text in texts]
    print(f"method {method}: {found}")
    return found


for method in (1, 2, 3, 4):
    found = with_itself(method)
    assert found[2] < 1 and found[3:] == [1, 1, 1]
assert with_itself(1)[2] == 0.562
for method in (5, 7):
    found = with_itself(method)
    assert found[2] < 0.8 and min(found[3:]) > 1 and found[4] > 1.1
P
"$folder/venv/bin/python" "$folder/itself.py"
