"""A real Chromium without a window, spoken to over two pipes (DevTools protocol): no driver, no port, no dependency."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.command import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # CI is root in a container; it opens nothing but our own page
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
)
_AT_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
    os.close(end)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads from descriptor 3 and writes to 4; they may be anybody's by then."""


def find_chromium() -> str:
    """Answer where it is; a desk may lack it, CI may not."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        why = "no Chromium is installed; on Debian: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


class Browser:
    """One page. What its console says is kept, and so is what its policy forbids."""

    def __init__(self, path: str) -> None:
        """Start it."""
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = [*OPTIONS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _AT_3_AND_4, str(theirs_in), str(theirs_out), path, *options],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": self._folder.name},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._heard, self._number = b"", 0
        self._answers: dict[int, Any] = {}
        self._session = ""
        self.console: list[str] = []
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        (target,) = (t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End it, with all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    def open(self, url: str) -> None:
        """Go there, and return when the page has loaded."""
        self.call("Page.navigate", url=url)
        assert until(
            lambda: self.js("document.readyState === 'complete' && location.href !== 'about:blank'"), TIMEOUT_S
        )

    def js(self, expression: str) -> Any:  # noqa: ANN401 - whatever it is
        """Evaluate it, wait if it is a promise, and answer its value."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def text(self, selector: str) -> str:
        """Answer the text of the first element that is shown."""
        return str(self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def until(self, expression: str) -> None:
        """Wait until it is true."""
        assert until(lambda: bool(self.js(expression)), TIMEOUT_S), (
            f"{expression}\n{self.js('document.body.innerText')}"
        )

    def look_like(self, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Have a window of this size, and this colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def press(self, key: str) -> None:
        """Press a key; Tab and Enter are known."""
        codes: Mapping[str, dict[str, Any]] = {
            "Tab": {"windowsVirtualKeyCode": 9},
            "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
        }
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **codes[key])

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Save what it shows as PNG; `whole` also what is below the window."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))

    def call(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - as the protocol has it
        """Ask for something, and answer what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        ends_at = time.monotonic() + TIMEOUT_S
        while self._number not in self._answers:
            self._read(ends_at - time.monotonic())
        answer = self._answers.pop(self._number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _read(self, timeout_s: float) -> None:
        readable, _, _ = select.select([self._in], [], [], max(0.0, timeout_s))
        assert readable, f"Chromium says nothing for {TIMEOUT_S} s"
        piece = os.read(self._in, 1 << 20)
        assert piece, "Chromium has ended"
        *messages, self._heard = (self._heard + piece).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, params: dict[str, Any]) -> None:
        if event == "Runtime.consoleAPICalled":
            self.console.append(str([argument.get("value") for argument in params["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.console.append(str(params["exceptionDetails"]))
        elif event == "Log.entryAdded":
            self.console.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
