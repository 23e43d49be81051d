"""Two texts mixed at a stated share: what is held out, what is trained on, and what is refused."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.sources.text.blend import Blend
from trainables.sources.text.files import TextFile


def text(path: Path, word: str, count: int) -> TextFile:
    path.write_text("\n\n".join(f"{word} {number:04}" for number in range(count)))
    return TextFile(path=str(path))


def blend(folder: Path, share: float, foreign: int = 700) -> Blend:
    return Blend(real=text(folder / "r", "real", 500), foreign=text(folder / "f", "made", foreign), share=share)


def trained_on(source: Blend) -> list[str]:
    return list(source.read()["train"])


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75, 1])
def test_a_share_of_equally_many_characters_is_foreign(tmp_path: Path, share: float) -> None:
    found = trained_on(blend(tmp_path, share))
    whole = sum(map(len, trained_on(blend(tmp_path, 0))))
    foreign = sum(len(text) for text in found if text.startswith("made"))
    assert foreign / whole == pytest.approx(share, abs=0.01)
    assert sum(map(len, found)) == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_real_documents_alone_are_held_out_and_the_same_ones_at_every_share(tmp_path: Path, share: float) -> None:
    parts, first = blend(tmp_path, share).read(), blend(tmp_path, 0).read()
    for name in ("test", "validation"):
        assert list(parts[name]) == list(first[name])
        assert len(list(parts[name])) == pytest.approx(50, abs=25)
        assert not {*parts[name]} & {*parts["train"]}
        assert all(document.startswith("real") for document in parts[name])


def test_larger_shares_hold_the_smaller_ones(tmp_path: Path) -> None:
    few, many = ({t for t in trained_on(blend(tmp_path, s)) if t.startswith("made")} for s in (0.25, 0.75))
    assert few < many


def test_a_foreign_document_that_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    source = blend(tmp_path, 1)
    copy = Blend(real=source.real, foreign=source.real, share=1)
    assert not {*copy.read()["test"]} & {*trained_on(copy)}
    assert trained_on(copy)


def test_a_family_is_given_its_rows_and_counts_what_is_left_out(tmp_path: Path) -> None:
    source = blend(tmp_path, 0.5)
    with open(tmp_path / "f", "a") as file:
        file.write("\n\n   " + "\n\nmade 0001" * 2)
    ready = prepare(LanguageConfig(source=source, context=16, vocabulary=300))
    assert ready.train.rows > ready.test.rows > 0
    kept = "made 0001" in trained_on(source)
    assert ready.skipped["repeated"] == 2 * kept


def test_one_with_prompts_and_one_without_are_refused(tmp_path: Path) -> None:
    pairs = TextFile(path=os.fspath(tmp_path / "p.jsonl"), prompt_column="q")
    with pytest.raises(ValidationError, match="one of `real` and `foreign` has prompts"):
        Blend(real=text(tmp_path / "r", "real", 5), foreign=pairs, share=0.5)
    with pytest.raises(ValidationError, match="share"):
        blend(tmp_path, 1.5)
