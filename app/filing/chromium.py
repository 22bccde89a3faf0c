"""Headless Chromium, spoken to over two pipes in its own protocol (DevTools): no port is opened, and nothing
but the browser is needed. Command's own process.

Playwright would bring 40 MB and a Node of its own for the six calls that a picture takes.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.filing.trace import NoPicture

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 30.0  # seconds for an answer
CHUNK = 1024 * 1024
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--no-first-run",
    "--mute-audio",
)
_AS_3_AND_4 = (
    "import os,sys;r,w=int(sys.argv[1]),int(sys.argv[2]);os.dup2(r,3);os.dup2(w,4);os.closerange(5,256);"
    "os.execvp(sys.argv[3],sys.argv[3:])"
)
"""Chromium reads on descriptor 3 and writes on 4; between fork and exec Python may run nothing of ours."""


def find() -> str:
    """The browser's program. Raises NoPicture."""
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise NoPicture("本机没有 Chromium（Debian：apt-get install chromium），或用 --guided 给出自己的截图")


class Chromium:
    """A browser with no window. Raises NoPicture when it does not start or stops answering."""

    def __init__(self, program: str = "") -> None:
        program = program or find()
        if os.name != "posix":
            raise NoPicture("这个系统上不能驱动 Chromium：请用 --guided 给出自己的截图")
        import fcntl

        self._profile = Path(tempfile.mkdtemp(prefix="filing-chromium-"))
        ends = [*os.pipe(), *os.pipe()]
        theirs, self._to, self._from, theirs_out = (
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends
        )
        for end in ends:
            os.close(end)
        flags = [*FLAGS, f"--user-data-dir={self._profile}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # which root cannot have
        launcher = [
            sys.executable,
            "-c",
            _AS_3_AND_4,
            str(theirs),
            str(theirs_out),
            program,
            *flags,
            "about:blank",
        ]
        self._process = subprocess.Popen(
            launcher,
            pass_fds=(theirs, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(theirs_out)
        self._serial = 0
        self._buffer = bytearray()

    def close(self) -> None:
        """It ends when nobody speaks to it any more."""
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """What the browser answers. Raises NoPicture."""
        self._serial += 1
        message = {"id": self._serial, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except OSError as error:
            raise NoPicture(f"Chromium 没有启动，或已退出（{error.strerror}）") from None
        return self._answer(self._serial, method)

    def _answer(self, serial: int, method: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self._buffer:
                frame, _, rest = bytes(self._buffer).partition(b"\0")
                self._buffer = bytearray(rest)
                message = json.loads(frame)
                if message.get("id") == serial:
                    if "error" in message:
                        raise NoPicture(f"Chromium 拒绝了 {method}：{message['error'].get('message', '')}")
                    return dict(message["result"])
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise NoPicture(f"Chromium {PATIENCE:g} 秒没有应答 {method}")
            chunk = os.read(self._from, CHUNK)
            if not chunk:
                raise NoPicture("Chromium 没有启动，或已退出")
            self._buffer += chunk


class Tab:
    """One of its tabs, `width` × `height` pixels, in Chinese and the exchange's time zone."""

    def __init__(self, browser: Chromium, width: int, height: int) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._call("Emulation.setTimezoneOverride", timezoneId="Asia/Shanghai")
        self._call("Emulation.setLocaleOverride", locale="zh-CN")

    def before_each_page(self, script: str) -> str:
        """Run by every page before its own scripts; returns what `forget` takes it back by."""
        added = self._call("Page.addScriptToEvaluateOnNewDocument", source=script)
        return str(added["identifier"])

    def forget(self, identifier: str) -> None:
        self._call("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)

    def open(self, url: str) -> None:
        said = self._call("Page.navigate", url=url)
        if said.get("errorText"):
            raise NoPicture(f"Chromium 打不开网页：{said['errorText']}")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited. Raises NoPicture."""
        said = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise NoPicture(f"网页里出错：{said['exceptionDetails'].get('text', '')}")
        return said["result"].get("value")

    def picture(self) -> bytes:
        """A PNG of what it shows."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)
