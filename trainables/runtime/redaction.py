"""What must not be written down: passwords that URLs carry, and values of the environment's secrets."""

from __future__ import annotations

import os
import re

MASK = "***"

_USERINFO = re.compile(r"(?P<head>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:'\"]*:)[^\s'\"<>]*@")
"""`scheme://user:password@`, up to the last @: unescaped passwords may hold slashes and colons."""

_BARE_TOKEN = re.compile(r"(?P<head>\bhttps?://)[^\s/@:'\"]+@")
_QUERY = re.compile(
    r"(?P<head>[?&;][\w-]*(?:pass(?:word|wd)?|pwd|secret|token|signature|sig|credentials?|api[_-]?key|access[_-]?key)"
    r"[\w-]*=)[^&;\s'\"<>#]+",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"(^|_)(PG|MYSQL_)?(SECRETS?|PASSWORD|PASSWD|PASSPHRASE|TOKENS?|CONNECTION_STRING|(API|ACCESS|ACCOUNT|PRIVATE|STORAGE)_?KEY)"
    r"(_|$)|^MYSQL_PWD$"
)
_SHORT = 8
"""Characters below which an environment's value is a word like `true` rather than a secret."""


def redact(text: str) -> str:
    """The text with passwords in URLs, and values of environment variables that are named like secrets, masked."""
    for value in _secrets():
        text = text.replace(value, MASK)
    return redact_urls(text)


def redact_urls(text: str) -> str:
    """The text with passwords in URLs masked; the rest of each URL stays readable."""
    text = _USERINFO.sub(rf"\g<head>{MASK}@", text)
    text = _BARE_TOKEN.sub(rf"\g<head>{MASK}@", text)
    return _QUERY.sub(rf"\g<head>{MASK}", text)


def has_password(url: str) -> bool:
    """Whether a URL carries a password or a token."""
    return redact_urls(url) != url


def _secrets() -> list[str]:
    """Longest first, so that no secret which holds another one is masked in part."""
    found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name.upper()) and len(value) >= _SHORT}
    return sorted(found, key=len, reverse=True)
