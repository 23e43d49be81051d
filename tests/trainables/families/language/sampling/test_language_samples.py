"""The samples that metrics are taken on are drawn once a record, and are never another record's."""

from trainables import Cell
from trainables.families.language import family as language
from trainables.families.language.config import LanguageConfig
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.store import MemoryStore


def test_evaluate_and_compare_share_samples_of_one_model_and_stream(monkeypatch):
    drawn = []
    whole = language.sample_rows

    def counted(config, model, rows, stream, *further):
        drawn.append((stream.key, *stream.path))
        return whole(config, model, rows, stream, *further)

    monkeypatch.setattr(language, "sample_rows", counted)
    small, rows = LanguageConfig.tiny()
    asked = Cell(family=small, policy={"kind": "replace"}, rows=rows, generations=2)
    recursion = Recursion(asked, MemoryStore())
    family, first, second = recursion.family, recursion.model(1), recursion.model(2)
    drawn.clear()
    alone = family.compare(second, first, Stream("1" * 32))
    assert family.evaluate(first, Stream("1" * 32)).metrics != family.evaluate(second, Stream("1" * 32)).metrics
    assert family.compare(second, first, Stream("1" * 32)) == alone
    assert drawn == [("1" * 32,)] * 3
