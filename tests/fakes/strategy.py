"""A strategy without ctpbee: what the host starts, watches and ends, and nothing more.

A comment `# does: …` in its file says how it behaves: `fails` in on_init, `quits` like one that fails and
cannot say why, `crashes` once it runs, `loops` and hears no SIGTERM, `eats` 200 MB, `breeds` 40 children,
`waits` to be ready until there is a file `<data>/go`, `parents` one child in a session of its own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from app.settings import Settings
from tests.support.waiting import eventually

SLEEPER = ["sleep", "600"]


def main() -> None:
    settings = Settings.load()
    start = json.loads(sys.stdin.readline())
    text = Path(start["path"]).read_text("utf-8")
    found = re.search(r"# does: (\w+)", text)
    does = found[1] if found else ""
    with open(settings.data_dir / "starts-strategies", "a") as starts:
        starts.write(json.dumps({"pid": os.getpid(), "text": text, **start}) + "\n")
    folder = settings.data_dir / "accounts" / start["account"] / "strategies" / start["name"]
    if does == "fails":
        report = {
            "message": "ValueError: 坏了",
            "traceback": "Traceback …",
            "line": 7,
            "time": "2025-06-05 10:00:00",
        }
        (folder / "error.json").write_text(json.dumps(report), "utf-8")
        sys.exit(5)
    if does == "quits":
        sys.exit(5)
    if does == "waits":
        eventually(lambda: (settings.data_dir / "go").exists(), "it may go on", 60)
    (folder / "ready").touch()
    eaten = bytearray(200 * 1024 * 1024) if does == "eats" else b""
    if does == "hides":  # in a file that no folder has
        file = os.memfd_create("hidden")
        for _ in range(200):
            os.write(file, b"x" * 1024 * 1024)
    if does == "crashes":
        os._exit(9)
    if does == "loops":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range({"breeds": 40, "parents": 1}.get(does, 0)):
        subprocess.Popen(SLEEPER, start_new_session=does == "parents")
    try:
        threading.Event().wait()
    finally:
        del eaten


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
