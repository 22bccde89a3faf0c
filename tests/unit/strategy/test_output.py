"""What a strategy says is bounded, whole lines, and says what was left out."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.strategy.output import FILE_LINES, LINE_LIMIT, SAID_LINES, Allowance, Output, Stream


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_a_second_pass_and_the_rest_is_counted() -> None:
    clock = Clock()
    allowance = Allowance(3, clock)
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]
    assert allowance.settle() == 0, "the second is not over"
    clock.now = 1.0
    assert allowance.settle() == 2
    assert allowance.settle() == 0
    assert allowance.take()


def test_a_stream_gives_whole_lines_whatever_pieces_they_come_in() -> None:
    heard: list[tuple[str, str]] = []
    stream = Stream("INFO", lambda level, line: heard.append((level, line)))
    print("甲", 1, file=stream)
    stream.write("乙\n丙")
    stream.write("丁\n\n")
    stream.write("未完")
    assert [line for _, line in heard] == ["甲 1", "乙", "丙丁"]
    stream.finish()
    assert heard[-1] == ("INFO", "未完")


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    heard: list[str] = []
    stream = Stream("INFO", lambda _level, line: heard.append(line))
    for _ in range(10):
        stream.write("x" * 1000)
    assert sum(map(len, heard)) > 6000
    assert max(map(len, heard)) <= LINE_LIMIT + 1000


class Said:
    def __init__(self, folder: Path) -> None:
        self.lines: list[tuple[str, str]] = []
        self.output = Output(folder, lambda level, _created, message: self.lines.append((level, message)))
        self.file = folder / "strategy.log"

    def written(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Said]:
    said = Said(tmp_path)
    yield said
    said.output._file.close()


def record(message: str, *args: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("strategy", level, "", 0, message, args, None)


def test_a_line_is_written_as_json_and_passed_on(said: Said) -> None:
    said.output.emit(record("价格 %d", 3000, level=logging.WARNING))
    assert said.lines == [("WARNING", "价格 3000")]
    (row,) = said.written()
    assert (row["levelname"], row["message"]) == ("WARNING", "价格 3000")
    assert len(row["created"]) == 19


def test_a_format_that_does_not_fit_is_a_line_and_no_error(said: Said) -> None:
    said.output.emit(record("价格 %d", "三千"))
    assert "日志格式有误" in said.lines[0][1]


def test_a_long_line_is_cut_and_a_secret_masked(said: Said) -> None:
    said.output.line("INFO", "password=abc " + "x" * 5000)
    assert said.lines[0][1].startswith("password=*** ")
    assert said.lines[0][1].endswith(f"…（截断，共 {len('password=*** ') + 5000} 字符）")


def test_what_is_no_unicode_is_written_in_escapes_and_can_be_passed_on(said: Said) -> None:
    said.output.line("INFO", "文件 \udc80")
    assert said.lines == [("INFO", "文件 \\udc80")]
    assert orjson.loads(said.file.read_bytes())["message"] == "文件 \\udc80"


def test_a_flood_is_cut_and_what_is_left_out_is_said(said: Said) -> None:
    for number in range(FILE_LINES + 500):
        said.output.line("INFO", f"第 {number} 行")
    assert len(said.lines) < FILE_LINES
    assert len(said.lines) >= SAID_LINES
    shown = len(said.lines)
    said.output._settle(said.output._writable.left_out, said.output._sayable.left_out)
    assert said.lines[-1] == ("WARNING", f"输出过多：{FILE_LINES + 500 - shown} 行未显示，可查策略日志")
