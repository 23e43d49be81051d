"""Workers on a store of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crew import Crew


@pytest.fixture
def crew(tmp_path: Path) -> Crew:
    """No worker has started yet, and there is no store."""
    return Crew(tmp_path)
