"""A headless Chromium that tests drive through its own protocol, by pipes: no port, no further package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,1000", "--remote-debugging-pipe",
)  # fmt: skip


def command() -> str | None:
    """Chromium, where there is one."""
    return next(
        (found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None
    )


class Page:
    """One page: `asked` are the addresses of all its requests, `said` what its console and its errors said."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer, self._number = reader, writer, 0
        self._session: dict[str, str] = {}
        self.asked: list[str] = []
        self.said: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        self._writer.write(json.dumps(message).encode() + b"\0")
        self._writer.flush()
        while (got := self._receive()).get("id") != self._number:
            self._note(got)
        assert "error" not in got, got
        result: dict[str, Any] = got["result"]
        return result

    def open(self, path: Path) -> None:
        """Load a file and wait until it is."""
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """An expression's value; promises are awaited."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until a condition holds."""
        each = "new Promise((done) => requestAnimationFrame(done))"
        self.evaluate(f"(async () => {{ while (!({condition})) await {each}; }})()")

    def move(self, x: float, y: float) -> None:
        """The pointer to a place of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _receive(self) -> dict[str, Any]:
        held = bytearray()
        while (byte := self._reader.read(1)) != b"\0":
            assert byte, "the browser ended"
            held += byte
        found: dict[str, Any] = json.loads(held)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        if event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.said.append(json.dumps(params))


@contextmanager
def page(browser: str, folder: Path) -> Iterator[Page]:
    """A page of a browser of its own, whose profile lies in a folder."""
    to_browser, ours = os.pipe()
    theirs, from_browser = os.pipe()
    plumbed = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
    process = subprocess.Popen(
        ["bash", "-c", plumbed, "bash", browser, *FLAGS, f"--user-data-dir={folder}/browser"],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    with os.fdopen(theirs, "rb") as reader, os.fdopen(ours, "wb") as writer:
        try:
            yield Page(reader, writer)
        finally:
            process.kill()
            process.wait()
