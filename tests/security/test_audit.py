"""The audit of dependencies: silence of a database that knows nothing does not pass for safety."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CANARY = {"name": "django", "version": "1.2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.3"]}]}
CLEAN = {"name": "numpy", "version": "2.1", "vulns": []}
BAD = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": []}]}
SKIPPED = {"name": "torch", "skip_reason": "not on PyPI"}


@pytest.fixture
def judge() -> ModuleType:
    spec = importlib.util.spec_from_file_location("judge_audit", ROOT / ".ci" / "judge_audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([CANARY, CLEAN], 0, "audit: 1 packages, 0 with known vulnerabilities, 0 not looked up"),
        ([CANARY, CLEAN, BAD], 1, "pillow 1.0: CVE-1, mended in no version yet"),
        ([CANARY, SKIPPED], 0, "1 not looked up"),
        ([CLEAN, BAD], 3, ""),
        ([CANARY | {"vulns": []}, CLEAN], 3, ""),
        ([{"name": "django", "skip_reason": "no network"}], 3, ""),
    ],
)
def test_findings_are_judged(
    judge: ModuleType, capsys: pytest.CaptureFixture[str], packages: list[dict[str, object]], code: int, said: str
) -> None:
    assert judge.judge(json.dumps({"dependencies": packages})) == code
    assert said in capsys.readouterr().out


def test_every_package_is_pinned_to_one_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", line) for line in pins)
    assert not any(line.lower().startswith("django==") for line in pins), "it is the audit's canary"
