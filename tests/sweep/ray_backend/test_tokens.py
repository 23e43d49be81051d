"""Ray's token: who may read it, who sends it, and what a Ray of this machine takes for its address."""

import os

import pytest

from sweep.ray_backend.code_shipping import FORWARDED, environment
from sweep.ray_backend.security import SWITCH, TOKENS, confined, guard_token, send_token


@pytest.fixture
def token(tmp_path, monkeypatch):
    """Where Ray looks for the token of a user who has said nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*TOKENS, "RAY_AUTH_MODE", SWITCH):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".ray" / "auth_token"


def test_a_token_is_made_for_its_owner_alone_and_stays(token):
    guard_token()
    made = token.read_text()
    assert len(made) == 64, "256 bits"
    assert set(made) <= set("0123456789abcdef")
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    guard_token()
    assert token.read_text() == made
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"], "nothing else is left"


@pytest.mark.parametrize("name", TOKENS)
def test_who_names_a_token_gets_no_file(token, monkeypatch, name):
    monkeypatch.setenv(name, "named")
    guard_token()
    assert not token.parent.exists()


@pytest.mark.parametrize("name", [*TOKENS, "a file", None])
def test_a_client_sends_a_token_where_there_is_one(token, monkeypatch, name):
    monkeypatch.setenv("RAY_AUTH_MODE", "")  # so that it is put back
    monkeypatch.delenv("RAY_AUTH_MODE")
    if name in TOKENS:
        monkeypatch.setenv(name, "named")
    elif name == "a file":
        guard_token()
    send_token()
    assert os.environ.get("RAY_AUTH_MODE") == (None if name is None else "token")


def test_what_a_user_says_of_sending_counts(token, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    guard_token()
    send_token()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


@pytest.mark.parametrize("before", [None, "1"])
def test_a_ray_of_this_machine_listens_to_it_alone_and_the_setting_is_put_back(token, monkeypatch, before):
    if before is not None:
        monkeypatch.setenv(SWITCH, before)
    with confined():
        assert os.environ[SWITCH] == "0"
        assert token.is_file(), "before anything listens"
    assert os.environ.get(SWITCH) == before
    with pytest.raises(KeyError), confined():
        raise KeyError
    assert os.environ.get(SWITCH) == before


def test_trials_elsewhere_are_told_of_settings_and_of_no_credential(monkeypatch):
    for name in FORWARDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", "cpu")
    monkeypatch.setenv("HF_TOKEN", "planted-secret")
    assert environment() == {"COLLAPSE_SWEEP_DEVICE": "cpu"}
