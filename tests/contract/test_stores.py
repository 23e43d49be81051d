"""The store contract, at every place by the same code; and it has teeth."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from trainables.store import MemoryStore, Payload, Store, open_store
from trainables.testing import STORE_CHECKS


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("place", ["memory", "local", "fsspec"])
def test_store(check: Callable[[Store], None], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))
    urls = {"memory": None, "local": str(tmp_path / "store"), "fsspec": f"memory://{secrets.token_hex(8)}/store"}
    check(open_store(urls[place]))


class Forgetful(MemoryStore):
    """Loses small files."""

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        super().put(kind, key, Payload(payload.meta, payload.tensors), {})


class Lazy(MemoryStore):
    """Computes again what it holds."""

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        made = compute()
        self.put(kind, key, made, parents)
        return made


class Undying(MemoryStore):
    """Deletes nothing."""

    def delete(self, kind: str, key: str) -> None:
        pass


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Forgetful, "store_gives_back_what_was_put"),
        (Lazy, "store_computes_a_key_once"),
        (Undying, "store_deletes"),
    ],
)
def test_a_broken_store_is_caught(broken: type[Store], check: str) -> None:
    with pytest.raises(AssertionError):
        {one.__name__: one for one in STORE_CHECKS}[check](broken())
