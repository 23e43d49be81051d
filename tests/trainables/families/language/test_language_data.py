"""From documents to rows: nothing held out is trained on, rows are packed as documented, corpora are as drawn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.language.config import EOS, LanguageConfig
from trainables.families.language.data import prepare, split, train_tokenizer
from trainables.families.language.metrics import each
from trainables.families.language.token_rows import Rows, gather, read
from trainables.sources.text.files import TextFile
from trainables.store import Payload, open_store

DOCUMENTS = [f"document number {n} says {word * (1 + n % 7)}." for n in range(200) for word in ("fox", "cat")]


@pytest.fixture
def source(tmp_path: Path) -> Callable[[list[str]], TextFile]:
    def write(documents: list[str]) -> TextFile:
        path = tmp_path / "text.txt"
        path.write_text("\n\n".join(documents))
        return TextFile(path=str(path))

    return write


def test_splits_share_no_document_and_lose_none() -> None:
    found = split({"all": [*DOCUMENTS, *DOCUMENTS[:9], "", "  "]}, 0.1, 0.2)
    parts = [set(found.train), set(found.validation), set(found.test)]
    assert set.union(*parts) == set(DOCUMENTS)
    assert sum(map(len, parts)) == len(set(DOCUMENTS))
    assert (found.empty, found.repeated) == (2, len(DOCUMENTS) - len(set(DOCUMENTS)) + 9)
    assert len(found.test) == pytest.approx(0.2 * len(set(DOCUMENTS)), rel=0.35)


def test_a_document_stays_in_its_split_when_others_come() -> None:
    few, many = split({"all": DOCUMENTS[:100]}, 0.1, 0.2), split({"all": [*DOCUMENTS, "new"]}, 0.1, 0.2)
    assert set(few.test) <= set(many.test)
    assert set(few.train) <= set(many.train)


def test_a_training_document_that_is_held_out_elsewhere_is_dropped() -> None:
    found = split({"train": ["a", "b", "c"], "test": ["b"]}, 0.0, 0.5)
    assert sorted(found.train + found.validation) == ["a", "c"]
    assert found.test == ["b"]


def test_the_tokenizer_never_sees_held_out_text(source: Callable[[list[str]], TextFile]) -> None:
    """Each document repeats a word of its own; the words of held-out ones must not have become tokens."""
    words = ["".join(map(chr, np.random.default_rng(n).integers(97, 123, 9))) for n in range(60)]
    text = prepare(LanguageConfig(source=source([f"{w} {w} {w} {w}" for w in words]), context=8, vocabulary=600))
    held = split({"all": [f"{w} {w} {w} {w}" for w in words]}, 0.1, 0.1)
    learnt = {token.lstrip("Ġ") for token in text.tokenizer.get_vocab()}
    assert {document.split()[0] for document in held.train} & learnt
    assert not {document.split()[0] for document in held.test + held.validation} & learnt


def test_held_out_documents_are_in_no_training_row() -> None:
    config = LanguageConfig()
    text = prepare(config)
    train = text.tokenizer.decode(text.train.tokens.tolist(), skip_special_tokens=False)
    held = split(config.source.read(), config.validation, config.test)
    long = [document for document in held.test + held.validation if len(document) > 60]
    assert len(long) > 100
    assert not [document for document in long if f"<|eos|>{document}<|eos|>" in train]


def test_tokenizers_repeat_themselves() -> None:
    one, same = (train_tokenizer(DOCUMENTS, 300).to_str() for _ in range(2))
    assert one == same


def test_fixed_rows_are_the_packed_text(source: Callable[[list[str]], TextFile]) -> None:
    config = LanguageConfig(source=source(DOCUMENTS), context=16, vocabulary=300)
    text = prepare(config)
    assert set(text.train.lengths) == {16}
    documents = split(config.source.read(), config.validation, config.test).train
    packed = [token for d in documents for token in [*text.tokenizer.encode(d).ids, EOS]]
    assert text.train.tokens.tolist() == packed[: len(packed) // 16 * 16]


def test_document_rows_end_with_eos_or_are_cut(source: Callable[[list[str]], TextFile]) -> None:
    config = LanguageConfig(source=source(DOCUMENTS), context=6, vocabulary=300, sequences="documents")
    text = prepare(config)
    documents = split(config.source.read(), config.validation, config.test).train
    assert text.train.rows == len(documents)
    for number, document in enumerate(documents):
        row = text.train.take(np.array([number])).tokens.tolist()
        assert row == [*text.tokenizer.encode(document).ids, EOS][:6]
    assert text.skipped["truncated"] == sum(len(text.tokenizer.encode(d).ids) >= 6 for d in documents) > 0


def test_held_out_documents_that_begin_as_others_do_are_counted(
    source: Callable[[list[str]], TextFile], caplog: pytest.LogCaptureFixture
) -> None:
    """Split by the whole of them, ten tokens of every other one are the same on both sides."""
    begun = [f"{'the same beginning' if n % 2 else f'number {n}'} of a text that ends with {n}" for n in range(200)]
    config = LanguageConfig(source=source(begun), context=10, vocabulary=300, sequences="documents")
    text = prepare(config)
    train = {tuple(row) for row in each(text.train)}
    seen = sum(tuple(row) in train for part in (text.validation, text.test) for row in each(part))
    assert text.skipped["seen"] == seen >= 10
    assert f"{seen} of {text.validation.rows + text.test.rows} held-out documents equal a training" in caplog.text
    assert "seen" not in prepare(config.model_copy(update={"context": 64})).skipped


def test_too_little_text_is_refused(source: Callable[[list[str]], TextFile]) -> None:
    with pytest.raises(ValueError, match=r"^source: text gives \d+ training rows and 0 test rows of 4096 tokens"):
        prepare(LanguageConfig(source=source(DOCUMENTS[:30]), context=4096))
    with pytest.raises(ValueError, match=r"^source: text gives no training document"):
        prepare(LanguageConfig(source=source(["", ""])))


ROWS = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]


def batch(number: int, rows: list[list[int]]) -> Batch:
    tokens = np.concatenate([np.array(row, np.uint16) for row in rows])
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    payload = Rows(tokens, starts).payload(300)
    return Batch(number, f"{number:032x}", len(rows), lambda: payload)


def listed(rows: Rows) -> list[list[int]]:
    return [rows.take(np.array([n])).tokens.tolist() for n in range(rows.rows)]


def test_a_corpus_holds_the_rows_drawn_with_their_weights() -> None:
    real, made = batch(0, ROWS), batch(1, [[20], [21, 22]])
    parts = (RealisedDraw((real, made), np.array([5, 0, 0, 3]), 1.0), RealisedDraw((made,), None, 3.0))
    rows = gather(Corpus(parts))
    assert listed(rows) == [[21, 22], [1, 2, 3], [1, 2, 3], [7, 8, 9, 10], [20], [21, 22]]
    assert rows.weights is not None
    assert rows.weights == pytest.approx(np.array([1, 1, 1, 1, 3, 3]) / (10 / 6))
    assert gather(Corpus((RealisedDraw((real,), None, 2.0),))).weights is None


def test_padding_marks_what_is_real() -> None:
    rows = read(batch(0, ROWS).payload)
    tokens, inside = rows.padded(np.array([1, 3]), pad=EOS)
    assert tokens.tolist() == [[4, EOS, EOS, EOS], [7, 8, 9, 10]]
    assert inside.tolist() == [[True, False, False, False], [True] * 4]


@pytest.mark.parametrize("vocabulary", [300, 70_000])
def test_rows_survive_the_store(tmp_path: Path, vocabulary: int) -> None:
    tokens = np.arange(3000) % vocabulary + (vocabulary > 2**16) * 66_000
    rows = Rows.fixed(tokens, 7)
    store = open_store(str(tmp_path))
    store.put("batch", "0" * 32, rows.payload(vocabulary))
    found = store.get("batch", "0" * 32)
    assert isinstance(found, Payload)
    assert listed(read(found)) == listed(rows)
