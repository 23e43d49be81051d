"""`init` writes studies that load, and that a user can go on from."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from search_spaces import StudyError, load_study
from search_spaces.loading import study_template
from sweep.commands.init import init
from sweep.errors import UsageError
from trainables.families import FAMILIES


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_s_study_loads_with_its_comments_taken_in_too(family: str, tmp_path: Path) -> None:
    text = study_template(family, "mine", policies=("replace", "ratio_mix"), seeds=2, generations=7)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    (block,) = load_study(str(file)).blocks
    assert block.cell["family"]["kind"] == family
    assert block.cell["generations"] == 7
    assert block.space["seed"].values == (0, 1)
    named = set(yaml.safe_load(text)["cell"]["family"]) | set(re.findall(r"^    # (\w+): ", text, flags=re.M))
    assert named == set(FAMILIES.get(family).model_fields), "every field can be seen and switched on"
    file.write_text(re.sub(r"^    # (\w+: )", r"    \1", text, flags=re.M))
    assert load_study(str(file)).blocks[0].cell["generations"] == 7


@pytest.mark.parametrize(
    ("family", "data", "kind"),
    [
        ("language", "books.jsonl.gz", "text"),
        ("vae", "faces.zip", "folder"),
        ("diffusion", "drugs.SDF", "sdf"),
        ("diffusion", "https://example.org/x.csv", "smiles"),
        ("glm", "patients.csv", "table"),
    ],
)
def test_own_data_is_a_source_by_its_name(family: str, data: str, kind: str) -> None:
    assert yaml.safe_load(study_template(family, "s", data))["cell"]["family"]["source"] == {"kind": kind, "path": data}


@pytest.mark.parametrize(
    ("family", "data", "policies", "said"),
    [
        ("lstm", None, ("replace",), "FAMILY: unknown family 'lstm'"),
        ("linear", "x.csv", ("replace",), "--data x.csv: linear draws its data from a known distribution"),
        ("diffusion", "x.pdf", ("replace",), "--data x.pdf: diffusion reads files that end in .sdf"),
        ("vae", None, ("replcae",), "--policy replcae: unknown policy 'replcae'; did you mean 'replace'?"),
    ],
)
def test_what_can_be_no_study_is_refused(family: str, data: str | None, policies: tuple[str, ...], said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study_template(family, "s", data, policies)
    assert str(caught.value).startswith(said)


def test_a_file_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "mine.yaml"
    assert init("gaussian", file, None, ("replace",), 3, None, force=False) == 0
    assert str(file) in capsys.readouterr().out
    before = file.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        init("linear", file, None, ("replace",), 3, None, force=False)
    with pytest.raises(ValueError, match="bad name"):
        init("linear", tmp_path / "bad name.yaml", None, ("replace",), 3, None, force=False)
    assert not (tmp_path / "bad name.yaml").exists()
    assert file.read_bytes() == before
    assert init("linear", file, None, ("replace",), 3, None, force=True) == 0
    assert load_study(str(file)).blocks[0].cell["family"]["kind"] == "linear"


@pytest.mark.parametrize("out", ["mine.yaml", "studies/mine.yaml", "../beside/mine.yml", "a/deep/my study/x.yaml"])
@pytest.mark.parametrize("data", ["data/books.txt", "./data/../data/books.txt", "{here}/data/books.txt"])
def test_a_study_finds_its_data_wherever_it_is_written(
    out: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "data").mkdir(parents=True)
    books = here / "data" / "books.txt"
    books.write_text("One day.\n\nAnother day.\n")
    monkeypatch.chdir(here)
    file = Path(out)
    assert init("language", file, data.format(here=here), ("replace",), 3, None, force=False) == 0
    (block,) = load_study(out).blocks
    assert Path(block.cell["family"]["source"]["path"]) == books
    commands = re.findall(r"collapse-sweep (?:plan|run) (.*)$", file.read_text(), flags=re.M)
    assert [shlex.split(told) for told in commands] == [[out]] * 2
