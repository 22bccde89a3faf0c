"""A process is ended with all that came out of it, whatever that does."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from app.process import family
from app.process.child import Process
from tests.support.waiting import eventually

DEAF = """
import os, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
left = ["sh", "-c", "trap '' TERM; echo; exec sleep 60"]
subprocess.Popen(left), subprocess.Popen(left, start_new_session=True)
time.sleep(60)
"""
"""Hears no SIGTERM, nor do its two children, one of which has a session of its own."""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("before", [0, 1], ids=["alone", "after another that has ended already"])
def test_who_does_not_hear_is_killed_and_so_are_its_children_in_whatever_session(before: int) -> None:
    ended = [subprocess.Popen(["true"]) for _ in range(before)]
    for each in ended:
        each.wait()
    deaf = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True)
    assert deaf.stdout is not None
    assert deaf.stdout.read(2) == b"\n\n"  # both children do not hear by now
    all_of_it = [deaf.pid, *(each.pid for each in psutil.Process(deaf.pid).children())]
    assert len(all_of_it) == 3
    family.end([*(Process("ended", child=each) for each in ended), Process("deaf", child=deaf)], 0.05)
    assert deaf.returncode is not None
    eventually(lambda: not family.census().keys() & set(all_of_it), "nobody is left")
    deaf.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="sessions")
def test_what_a_process_left_behind_is_killed_though_it_has_ended_itself() -> None:
    gone = subprocess.Popen(
        ["sh", "-c", "sleep 60 >/dev/null & echo $!"], stdout=subprocess.PIPE, start_new_session=True
    )
    left = int(gone.communicate()[0])
    assert left in family.census()
    family.end([Process("gone", child=gone)], 0.05)
    eventually(lambda: left not in family.census(), "nobody is left")
