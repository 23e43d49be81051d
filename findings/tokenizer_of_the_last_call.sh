#!/usr/bin/env bash
# transformers 5.23.0 with tokenizers 0.23.3: a tokenizer that is saved remembers the `max_length` of its last call, and cuts and
# pads all texts where `tokenizers` reads it.
#
# Guess before running: truncation and padding are arguments of a call; what `save_pretrained` writes does not depend on the
# calls before, and `Tokenizer.from_file` encodes whole texts.
# Seen: after a call with `truncation=True, max_length=2`, for a look at a prompt, say, `tokenizer.json` holds a truncation to two
# tokens, and `Tokenizer.from_file` makes two tokens of every text; after one with padding to 8, eight. Saved before any call, or
# after a last call without the two, it makes four of four. Read by transformers all texts are whole again, as each call
# states the two anew. No warning.
# Output seen: "saved before any call: 4 tokens of 4", "after a call with max_length=2: 2 tokens of 4", "after a call padded to 8:
# 8 …", "after a call without: 4 …", "after a call with max_length=2, read by transformers: 4 …".
# Who it hits: corpora that the next generation tokenizes with `tokenizers` itself, which is what makes it fast: each text is cut
# to the last prompt's or evaluation's length, so that its loss and length seem to collapse; and a file is another one after each
# call, for keys by content. Call `no_truncation()` and `no_padding()` after reading.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 tokenizers==0.23.3 numpy==2.4.6 2> /dev/null
cat > "$folder/calls.py" <<'P'
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TEXT = "w3 w4 w5 w6"
words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(20)}, unk_token="w0"))
words.pre_tokenizer = pre_tokenizers.Whitespace()


def saved(name, *calls, by=None):
    """The number of tokens that a text has by a tokenizer saved after calls with these settings."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="w0", pad_token="w1", eos_token="w2")
    for settings in calls:
        tokenizer([TEXT], **settings)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        if by is None:
            tokens = Tokenizer.from_file(f"{folder}/tokenizer.json").encode(TEXT).ids
        else:
            tokens = by.from_pretrained(folder)(TEXT).input_ids
    print(f"{name}: {len(tokens)} tokens of 4")
    return len(tokens)


cut, padded = {"truncation": True, "max_length": 2}, {"padding": "max_length", "max_length": 8}
assert saved("saved before any call") == 4
assert saved("after a call with max_length=2", cut) == 2
assert saved("after a call padded to 8", padded) == 8
assert saved("after a call without", cut, {}) == 4
assert saved("after a call with max_length=2, read by transformers", cut, by=PreTrainedTokenizerFast) == 4
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/calls.py" 2> /dev/null
