#!/usr/bin/env bash
# tokenizers 0.23.3: a `Tokenizer` that is trained a second time keeps the special tokens of the first training under ids that
# the second vocabulary gives to other tokens, so that text no longer survives encoding and decoding.
#
# Guess before running: `train_from_iterator` replaces vocabulary, merges and special tokens, as a fresh tokenizer has them.
# Seen: `<a>` and `<x>`, specials of the first training only, are still there with ids 0 and 1, which are `<b>` and the letter
# c as well; `id_to_token(1)` is `<x>`, and decoding the encoded letter gives nothing. No warning.
# Output seen: "ids of two tokens: [0, 1]", "c -> [1] -> ''", fresh tokenizer: "c -> [1] -> 'c'".
# Who it hits: recursions that fit the tokenizer again each generation. Make a new `Tokenizer` for each training.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tokenizers==0.23.3 2> /dev/null
cat > "$folder/again.py" <<'P'
from collections import Counter

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def fresh():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def trained(tokenizer, text, specials):
    tokenizer.train_from_iterator(
        [text] * 10, trainers.BpeTrainer(vocab_size=20, special_tokens=specials, show_progress=False)
    )
    return tokenizer


def there_and_back(tokenizer):
    ids = tokenizer.encode("c").ids
    back = tokenizer.decode(ids)
    print(f"c -> {ids} -> {back!r}")
    return back


again = trained(trained(fresh(), "aa bb aa bb", ["<a>", "<x>"]), "cc dd cc dd", ["<b>"])
twice = sorted(number for number, count in Counter(again.get_vocab().values()).items() if count > 1)
print("ids of two tokens:", twice)
assert twice == [0, 1]
assert there_and_back(again) == ""
assert there_and_back(trained(fresh(), "cc dd cc dd", ["<b>"])) == "c"
P
"$folder/venv/bin/python" "$folder/again.py"
