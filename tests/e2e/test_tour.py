"""The README's tour, line by line as it stands there, against the real server."""

from __future__ import annotations

import re
import subprocess

from tests.e2e.server import ROOT, BackendServer


def test_the_tour_of_the_readme_works_as_printed(shared_server: BackendServer) -> None:
    block = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert block, "the README has no tour"
    script = block.group(1).replace("http://127.0.0.1:5000", shared_server.url).replace("m2705", "m2509")
    lines = script.strip().splitlines()
    assert len(lines) == 10
    printed = subprocess.run(
        ["bash", "-c", "\n".join(f"{line}\necho" for line in lines)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert '"success":false' not in printed, printed
    assert printed.count('"success":true') == 5
    assert "'direction': 'long', 'volume': 1" in printed
    assert re.search(r"^2025-06-05 10:\d\d:\d\d\.\d{3} 多 开 1 ", printed, re.M)
