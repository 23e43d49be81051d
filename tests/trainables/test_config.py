"""Frozen configs, their registries, and the one line that says what is wrong with one."""

import subprocess
import sys
from typing import Literal

import pytest
from pydantic import ValidationError

from trainables import Cell
from trainables.config import Config, Registry, canonical_json, did_you_mean, explain

GAUSSIAN = {"kind": "gaussian"}
REPLACE = {"kind": "replace"}


def said(data):
    """The line that a user reads."""
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate(data)
    line = explain(caught.value, Cell)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"family": GAUSSIAN, "policy": {"kind": "replac"}}, "policy: unknown kind 'replac'; did you mean 'replace'?"),
        (
            {"family": {"kind": "gausian"}, "policy": REPLACE},
            "family: unknown kind 'gausian'; did you mean 'gaussian'?",
        ),
        ({"family": GAUSSIAN, "policy": REPLACE, "rws": 3}, "rws: unknown key; did you mean 'rows'?"),
        ({"family": GAUSSIAN | {"dmi": 3}, "policy": REPLACE}, "family.dmi: unknown key; did you mean 'dim'?"),
        (
            {"family": GAUSSIAN, "policy": REPLACE, "rows": -3},
            "rows: input should be greater than or equal to 1, not -3",
        ),
        ({"family": GAUSSIAN, "policy": REPLACE, "rows": "ten"}, "rows: input should be a valid integer"),
        (
            {"family": GAUSSIAN, "policy": "replace"},
            "policy: needs a mapping with the key `kind`, as in {kind: replace}",
        ),
        ({"family": GAUSSIAN, "policy": {}}, "policy: needs a mapping with the key `kind`"),
        ({"family": GAUSSIAN}, "policy: missing"),
        ({"policy": REPLACE}, "family: missing"),
        ([], "must be a mapping of keys to values, not []"),
        (
            {"family": GAUSSIAN, "policy": {"kind": "sliding_window", "window": 0}},
            "policy.window: input should be greater than or equal to 1, not 0",
        ),
        (
            {"family": GAUSSIAN, "policy": REPLACE, "fork": {"generation": 2, "policy": {"kind": "accumlate"}}},
            "fork.policy: unknown kind 'accumlate'; did you mean 'accumulate'?",
        ),
        (
            {"family": GAUSSIAN, "policy": REPLACE, "fork": {"generation": 0, "policy": REPLACE}},
            "fork.generation: input should be greater than or equal to 1, not 0",
        ),
        (
            {"family": GAUSSIAN, "policy": REPLACE, "fork": {"generation": 2, "polic": REPLACE}},
            "fork.polic: unknown key; did you mean 'policy'? (known: generation, policy)",
        ),
        (
            {"family": GAUSSIAN, "policy": {"kind": "compose", "corpus": [{"source": "real"}, {"sorce": "real"}]}},
            "policy.corpus.1.sorce: unknown key; did you mean 'source'?",
        ),
        ({"family": GAUSSIAN, "policy": {"kind": "compose", "corpus": []}}, "policy.corpus: needs at least 1 entry"),
        (
            {"family": GAUSSIAN, "policy": {"kind": "compose", "keep": {"rule": "top", "judg": "first"}}},
            "policy.keep.judg: unknown key; did you mean 'judge'? (known: candidates, judge, level, rule, temperature)",
        ),
        (
            {"family": GAUSSIAN, "policy": {"kind": "compose", "keep": {"rule": "best_of", "candidates": 1.5}}},
            "policy.keep.candidates: the best of a group needs a whole number, not 1.5",
        ),
        (
            {"family": GAUSSIAN, "policy": {"kind": "biased_sampling", "base": {"kind": "ratio_mix", "ratio": 2}}},
            "policy.base.ratio: input should be less than or equal to 1, not 2",
        ),
        (
            {"family": GAUSSIAN, "policy": {"kind": "biased_sampling", "base": {"kind": "replac"}}},
            "policy.base: unknown kind 'replac'; did you mean 'replace'?",
        ),
        ({"family": GAUSSIAN, "policy": {"kind": "token_edit"}}, "policy: token_edit needs a family with edit"),
    ],
)
def test_one_line_says_what_is_wrong_and_where(data, line):
    assert said(data).startswith(line)


def test_a_misspelt_key_counts_once_though_it_is_also_missing():
    assert said({"family": GAUSSIAN, "polcy": REPLACE}).startswith("polcy: unknown key; did you mean 'policy'?")


def test_a_wrong_family_is_the_only_complaint():
    assert "more)" not in said({"family": {"kind": "gausian"}, "policy": REPLACE})


def test_configs_are_frozen_and_finite():
    class Small(Config):
        size: float = 1.0

    with pytest.raises(ValidationError, match="frozen"):
        Small().size = 2.0
    with pytest.raises(ValidationError, match="finite"):
        Small(size=float("nan"))
    with pytest.raises(ValidationError, match="Extra inputs"):
        Small(sise=1)


def test_equal_fields_of_two_kinds_are_told_apart():
    class One(Config):
        kind: Literal["one"] = "one"
        size: int = 1

    class Two(Config):
        kind: Literal["two"] = "two"
        size: int = 1

    assert canonical_json(One().canonical()) != canonical_json(Two().canonical())


def test_a_registry_names_the_nearest_kind():
    registry = Registry("family", {"gaussian": "trainables.families.closed_form.gaussian:GaussianConfig"})
    assert registry.get("gaussian").__name__ == "GaussianConfig"
    assert "gaussian" in registry
    assert "other" not in registry
    with pytest.raises(ValueError, match=r"unknown family 'gausian'; did you mean 'gaussian'\? \(known: gaussian\)"):
        registry.get("gausian")


def test_suggestions_list_what_there_is():
    assert did_you_mean("zzz", ["b", "a"]) == " (known: a, b)"


def test_canonical_json_is_one_text():
    assert canonical_json({"b": 1, "a": [1.0, None, "é"]}) == '{"a":[1.0,null,"\\u00e9"],"b":1}'


def test_parsing_every_config_loads_no_heavy_library():
    heavy = ["torch", "transformers", "datasets", "ray", "mlflow", "pandas", "matplotlib", "numba"]
    code = (
        "import sys; from trainables import Cell; from trainables.families import FAMILIES; "
        f"[FAMILIES.get(kind) for kind in FAMILIES]; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "[]"
