#!/usr/bin/env bash
# lexical-diversity 0.1.1: MTLD of a text without a repeated word is 0, less than that of one word over and over.
#
# Guess before running: the more words of a text are different, the larger its MTLD; where none comes twice it is infinite, or
# larger than any.
# Seen: 0 for sixty different words, 1,008 if one of them comes twice, 60 for thirty words twice, 7.3 for one word sixty times.
# MTLD divides the words by the number of stretches it takes for the share of different ones to fall to 0.72; where it never falls
# at all the number is 0, and so is what the division gives. `mtld_ma_bid` too; `hdd` is 0 for any text of fewer than 42 words. No
# warning.
# Output seen: "sixty different words: MTLD 0.0", "one of them twice: MTLD 1008.0", "thirty words, twice: MTLD 60.0", "one word,
# sixty times: MTLD 7.3", "thirty different words: HD-D 0.0".
# Who it hits: diversity of short texts over generations, as titles, captions and answers are: real ones hardly repeat a word and
# count as 0, so that their mean rises when models begin to repeat themselves. Measure texts joined to one, or of some hundred
# words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lexical-diversity==0.1.1 2> /dev/null
cat > "$folder/words.py" <<'P'
import warnings

from lexical_diversity import lex_div

warnings.simplefilter("error")
words = [f"word{number}" for number in range(60)]


def told(name, text):
    value = lex_div.mtld(text)
    print(f"{name}: MTLD {value:.1f}")
    return value


different = told("sixty different words", words)
nearly = told("one of them twice", [*words[:59], words[0]])
twice = told("thirty words, twice", words[:30] * 2)
same = told("one word, sixty times", words[:1] * 60)
assert different == 0 < same < twice < nearly
assert lex_div.mtld_ma_bid(words) == 0

short = lex_div.hdd(words[:30])
print(f"thirty different words: HD-D {short:.1f}")
assert short == lex_div.hdd(words[:41]) == 0 and abs(lex_div.hdd(words[:42]) - 1) < 1e-9
P
"$folder/venv/bin/python" "$folder/words.py"
