#!/usr/bin/env bash
# tokenizers 0.23.3: a byte-level BPE that was trained on some text silently drops every byte that was not in it.
#
# Guess before running: byte-level BPE encodes any text, and decoding gives it back; that is what bytes are for.
# Seen: `BpeTrainer` makes an alphabet of the bytes it saw. Trained on "the cat sat on the mat", the tokenizer makes 7 tokens
# of the 25 characters of "the quick brown fox, 1999", which decode to "the c on o ". No unknown token, no warning. With
# `initial_alphabet=ByteLevel.alphabet()` nothing is lost, as with `ByteLevelBPETokenizer`, which passes it.
# Output seen: "bytes seen in training: 7 tokens, decoded: 'the c on o '", "the whole alphabet: 23 tokens, decoded: 'the quick
# brown fox, 1999'".
# Who it hits: recursions that train the tokenizer on each generation's samples: characters that die out vanish from the
# held-out text as well, and its loss per text falls because of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tokenizers==0.23.3 2> /dev/null
cat > "$folder/bytes.py" <<'P'
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SAMPLES, HELD_OUT = ["the cat sat on the mat"] * 10, "the quick brown fox, 1999"


def trained(**settings):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(SAMPLES, trainers.BpeTrainer(vocab_size=300, show_progress=False, **settings))
    return made


def there_and_back(name, tokenizer):
    ids = tokenizer.encode(HELD_OUT).ids
    back = tokenizer.decode(ids)
    print(f"{name}: {len(ids)} tokens, decoded: {back!r}")
    return len(ids), back


count, back = there_and_back("bytes seen in training", trained())
whole, same = there_and_back("the whole alphabet", trained(initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
assert same == HELD_OUT
assert count < whole / 2 and back == "the c on o "
P
"$folder/venv/bin/python" "$folder/bytes.py"
