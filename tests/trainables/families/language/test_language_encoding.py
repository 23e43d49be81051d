"""Documents become rows: told apart by content, encoded whole, cut, counted; what can't be is one line."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from trainables.families.language import data
from trainables.families.language.config import BOS, EOS, LanguageConfig
from trainables.families.language.data import NAMES, encode, prepare, split, train_tokenizer
from trainables.families.language.metrics import each
from trainables.sources.text import Pair

WORDS = [f"{a} {b}" for a in ("red fox", "old cat", "wet dog") for b in range(30)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(WORDS, 270)


def config(**fields: Any) -> LanguageConfig:
    shape = {"width": 8, "layers": 1, "heads": 2, "context": 8, "vocabulary": 270, "sequences": "documents"}
    return LanguageConfig.model_validate(shape | fields)


def paired(**fields: Any) -> LanguageConfig:
    source = {"kind": "text", "path": "pairs.jsonl", "column": "response", "prompt_column": "prompt"}
    return config(source=source, **fields)


def text(folder: Path, documents: list[str], **fields: Any) -> LanguageConfig:
    path = folder / "a.txt"
    path.write_text("\n\n".join(documents))
    return config(source={"kind": "text", "path": str(path)}, **fields)


def lists(rows: Any) -> list[list[int]]:
    return [row.tolist() for row in each(rows)]


def place(document: str) -> float:
    """Where a document lies between 0 and 1: the first eight bytes of its SHA-256, big end first, over 2^64."""
    return int(hashlib.sha256(document.encode()).hexdigest()[:16], 16) / 2**64


def test_a_document_goes_where_its_hash_lies() -> None:
    """Test below 0.2, validation from there to 0.5, training above."""
    found = split({"all": WORDS}, 0.3, 0.2)
    assert found.test == [word for word in WORDS if place(word) < 0.2]
    assert found.validation == [word for word in WORDS if 0.2 <= place(word) < 0.5]
    assert found.train == [word for word in WORDS if place(word) >= 0.5]


def test_a_share_of_exactly_a_documents_place_leaves_it_out() -> None:
    edge = place("red fox 3")
    assert split({"all": ["red fox 3"]}, 0.0, edge).train == ["red fox 3"]
    assert split({"all": ["red fox 3"]}, 0.0, np.nextafter(edge, 1)).test == ["red fox 3"]
    assert split({"all": ["red fox 3"]}, np.nextafter(edge, 1), 0.0).validation == ["red fox 3"]


def test_splits_of_the_source_take_no_share_of_its_training_documents() -> None:
    both = split({"train": WORDS[:60], "validation": WORDS[60:70], "test": WORDS[70:]}, 0.3, 0.4)
    assert (both.train, both.validation, both.test) == (WORDS[:60], WORDS[60:70], WORDS[70:])
    one = split({"train": WORDS[:60], "test": WORDS[60:]}, 0.3, 0.4)
    assert one.test == WORDS[60:]
    assert one.validation == [word for word in WORDS[:60] if place(word) < 0.3]
    other = split({"train": WORDS[:60], "validation": WORDS[60:]}, 0.3, 0.4)
    assert other.validation == WORDS[60:]
    assert other.test == [word for word in WORDS[:60] if place(word) < 0.4]


def test_what_is_held_out_is_dropped_from_training_wherever_it_stands_in_the_source() -> None:
    found = split({"train": ["a", "b", "c", " "], "validation": ["b", "b"], "test": ["d", "", "a"]}, 0.0, 0.1)
    assert (found.train, found.validation, found.test) == (["c"], ["b"], ["d", "a"])
    assert (found.empty, found.repeated) == (2, 3)


def test_lone_halves_of_surrogates_are_documents_too() -> None:
    found = split({"all": ["a\udc80", "a\udc80", "a"]}, 0.0, 0.1)
    assert found.repeated == 1
    assert sorted(found.train + found.test) == ["a", "a\udc80"]


def test_a_tokenizer_begins_with_bos_and_eos_and_knows_every_byte() -> None:
    made = train_tokenizer(WORDS, 300)
    assert [made.id_to_token(n) for n in (BOS, EOS)] == list(NAMES) == ["<|bos|>", "<|eos|>"]
    for word in ("red fox 7", " lead and trail ", "Ünïcödé ⏎ 漢字", "\t\n"):
        assert made.decode(made.encode(word).ids) == word
    assert made.get_vocab_size() == 300
    assert train_tokenizer(["a"], 300).get_vocab_size() == 258, "two names and 256 bytes; there is nothing to merge"


def test_documents_end_with_eos_and_are_cut_to_the_context(tokenizer: Tokenizer) -> None:
    documents = ["red fox 1", "an unknown and long document", "ab"]
    whole = [[*tokenizer.encode(d, add_special_tokens=False).ids, EOS] for d in documents]
    rows, cut, crowded = encode(tokenizer, documents, config())
    assert lists(rows) == [ids[:8] for ids in whole]
    assert (cut, crowded) == (1, 0)
    assert rows.prompts is None


def test_a_document_that_fills_its_row_with_its_eos_is_not_cut(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("abcdefgh").ids, EOS]
    rows, cut, _ = encode(tokenizer, ["abcdefgh"], config(context=len(ids)))
    assert (lists(rows), cut) == ([ids], 0)
    rows, cut, _ = encode(tokenizer, ["abcdefgh"], config(context=len(ids) - 1))
    assert (lists(rows), cut) == ([ids[:-1]], 1)


def test_rows_of_fixed_length_run_through_documents(tokenizer: Tokenizer) -> None:
    documents = ["red fox 1", "old cat 2", "wet dog 3", "xyzxyz"]
    packed = [token for d in documents for token in [*tokenizer.encode(d).ids, EOS]]
    rows, cut, crowded = encode(tokenizer, documents, config(sequences="fixed_length", context=5))
    assert lists(rows) == [packed[n : n + 5] for n in range(0, len(packed) // 5 * 5, 5)]
    assert (cut, crowded) == (0, 0)


def test_documents_in_portions_are_the_same_rows(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lists(encode(tokenizer, WORDS, config())[0])
    monkeypatch.setattr(data, "ENCODED", 7)
    assert lists(encode(tokenizer, WORDS, config())[0]) == whole
    assert len(whole) == len(WORDS)


def test_no_document_gives_no_row(tokenizer: Tokenizer) -> None:
    for sequences in ("documents", "fixed_length"):
        rows, cut, crowded = encode(tokenizer, [], config(sequences=sequences))
        assert (rows.rows, cut, crowded) == (0, 0, 0)


def test_names_of_special_tokens_in_a_text_are_these_tokens(tokenizer: Tokenizer) -> None:
    """As every tokenizer of transformers reads them."""
    rows = encode(tokenizer, ["a<|eos|>b"], config())[0]
    assert lists(rows)[0].count(EOS) == 2


def test_a_pair_is_its_prompt_and_its_response_each_encoded_alone(tokenizer: Tokenizer) -> None:
    """Together "re" and "d fox 1" would be encoded as "red fox 1", in which "red" is one token."""
    first, second = tokenizer.encode("re").ids, tokenizer.encode("d fox 1").ids
    assert [*first, *second] != tokenizer.encode("red fox 1").ids
    rows, _, _ = encode(tokenizer, [Pair.of("re", "d fox 1")], paired(context=16))
    assert lists(rows) == [[*first, *second, EOS]]
    assert rows.given.tolist() == [len(first)]


def test_a_prompt_that_leaves_room_for_one_token_stays_and_one_that_leaves_none_goes(tokenizer: Tokenizer) -> None:
    given = tokenizer.encode("zzzzzzz").ids
    for context, kept in ((len(given) + 1, 1), (len(given), 0)):
        rows, cut, crowded = encode(tokenizer, [Pair.of("zzzzzzz", "qq")], paired(context=context))
        assert (rows.rows, cut, crowded) == (kept, kept, 1 - kept)
        assert lists(rows) == [[*given, tokenizer.encode("qq").ids[0]]] * kept


@pytest.mark.parametrize(("vocabulary", "kind"), [(2**16, np.uint16), (2**16 + 1, np.int32)])
def test_tokens_take_two_bytes_where_the_largest_fits(tokenizer: Tokenizer, vocabulary: int, kind: type) -> None:
    assert encode(tokenizer, ["red fox"], config(vocabulary=vocabulary))[0].tokens.dtype == kind


def test_what_is_left_out_and_cut_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    documents = [*WORDS, "red fox 1", " ", "an unknown and long document that is trained on"]
    with caplog.at_level(logging.WARNING):
        found = prepare(text(tmp_path, documents, test=0.2, validation=0.0))
    trained = split({"all": documents}, 0.0, 0.2).train
    long = sum(len(found.tokenizer.encode(d).ids) >= 8 for d in trained)
    assert found.skipped == {"empty": 1, "repeated": 1, "truncated": long}
    assert caplog.messages == ["text: 1 empty and 1 repeated documents are left out"]
    assert found.train.rows == len(trained)


def test_nothing_is_told_of_a_text_that_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = prepare(text(tmp_path, WORDS, context=16))
    assert found.skipped == {"empty": 0, "repeated": 0, "truncated": 0}
    assert caplog.messages == []


def test_a_source_without_a_training_document_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^source: text gives no training document \(2 were empty\)$"):
        prepare(text(tmp_path, ["", " ", ""]))


def test_a_text_too_short_for_a_row_of_each_is_one_line(tmp_path: Path) -> None:
    asked = text(tmp_path, ["red fox", *WORDS[:9]], sequences="fixed_length", context=2000)
    with pytest.raises(
        ValueError,
        match=r"^source: text gives 0 training rows and 0 test rows of 2000 tokens; at least one of each is needed$",
    ):
        prepare(asked)


def test_prompts_that_leave_no_row_say_how_many_they_are(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"word {n} " * 5, "response": "b"}) for n in range(40)))
    source = {"kind": "text", "path": str(path), "column": "response", "prompt_column": "prompt"}
    trained = sum(place(f"word {n} " * 5 + "b") >= 0.2 for n in range(40))
    with pytest.raises(
        ValueError,
        match=rf"^source: text gives 0 training rows and 0 test rows of 4 tokens; at least one of each is needed "
        rf"\({trained} prompts fill a row alone; take a longer context\)$",
    ):
        prepare(config(source=source, context=4))


def test_a_text_is_made_ready_once_for_all_models_that_read_it(tmp_path: Path) -> None:
    asked = text(tmp_path, WORDS)
    assert prepare(asked) is prepare(asked.model_copy(update={"width": 16, "learning_rate": 1.0}))
    assert prepare(asked) is not prepare(asked.model_copy(update={"context": 9}))


def test_tuning_needs_a_validation_row(tmp_path: Path) -> None:
    text(tmp_path, WORDS).check_validation()
    with pytest.raises(
        ValueError,
        match=r"^family\.validation: 0\.0 leaves no validation row of text; tuning needs some, as in validation: 0\.1$",
    ):
        text(tmp_path, WORDS, validation=0.0).check_validation()


def test_available_rows_are_those_of_the_training_split(tmp_path: Path) -> None:
    asked = text(tmp_path, WORDS)
    assert asked.available_rows() == sum(place(word) >= 0.2 for word in WORDS)
