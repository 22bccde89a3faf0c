"""app/lib/bar_files.py in a process of its own: what a file takes of memory, and what is said without any."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = "symbol,trading_day,datetime,open,high,low,close,volume,turnover,open_interest"
OURS = "local_symbol,timestamp,open,high,low,close,volume,turnover,open_interest,complete"

BOMBS = {
    "no end": lambda: b"\0" * (64 << 20),
    "row": lambda: PLAIN.encode() + b"\n" + b"1" * (64 << 20),
    "blank": lambda: b"\n" * (3 << 20),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_a_small_packed_file_unpacks_to_is_not_taken_into_memory(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(BOMBS[bomb](), 1))
    code = (
        "import sys, pathlib, resource\nfrom app.lib import bar_files, bar_tables\n"
        "held = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = held()\n"
        "try: bar_files.read_bar_file(pathlib.Path(sys.argv[1]), 'rb2510')\n"
        "except bar_tables.BadBarFile as error: print(held() - before, error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    kilobytes, _, message = done.stdout.partition(" ")
    assert message.startswith("bomb.csv.gz"), done.stderr
    assert int(kilobytes) < 50 * 1024


def test_when_memory_ends_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        print(OURS, file=file)
        file.writelines(
            f"rb2510.SHFE,{1_700_000_040_000 + minute * 60_000},1,1,1,1,1,1,1,True\n"
            for minute in range(200_000)
        )
    code = (
        "import sys, pathlib\nfrom app.lib import bar_files, bar_tables\n"
        "from app.lib.memory import bound\nbound(20 << 20)\n"
        "try: bar_files.read_bar_file(pathlib.Path(sys.argv[1]))\n"
        "except bar_tables.BadBarFile as error: print(error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("large.csv: 内存不够，请分成几个文件\n", "")
