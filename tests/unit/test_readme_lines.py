"""README's lines are found as a user copies them; tests/e2e/test_first_hour.py runs them."""

from __future__ import annotations

import pytest

from tests.support.readme import README, block_with, cloned_from, line_with

TEXT = """# Name

## 快速开始

Debian 12：

```
sudo apt-get install -y git
git clone <本仓库的地址> here
cd here
```

### 之后

```sh
curl -s one
curl -s two
```

## 用 curl 走一遍

```sh
curl -s three
```
"""


def test_a_block_is_found_by_its_words_under_its_heading() -> None:
    assert block_with(TEXT, "快速开始", "two") == "curl -s one\ncurl -s two\n"
    assert block_with(TEXT, "用 curl 走一遍", "curl") == "curl -s three\n"


@pytest.mark.parametrize(
    ("heading", "words", "message"),
    [
        ("快速开始", "three", "0 blocks with 「three」 under 「快速开始」"),
        ("用 curl", "three", "no heading 「用 curl」"),
    ],
)
def test_a_block_that_is_not_there_is_said(heading: str, words: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        block_with(TEXT, heading, words)


def test_words_in_two_blocks_are_said() -> None:
    with pytest.raises(AssertionError, match="2 blocks with 「s」"):
        block_with(TEXT, "快速开始", "s")


@pytest.mark.parametrize(
    "address", ["<本仓库的地址>", "https://example.com/ctpbee_backend.git", "<the address>"]
)
def test_only_the_address_of_the_clone_is_replaced(address: str) -> None:
    assert cloned_from(f"git clone {address} here\ncd here\n", r"/a\1b") == "git clone /a\\1b here\ncd here\n"


def test_a_script_without_a_clone_is_said() -> None:
    with pytest.raises(AssertionError, match="0 times git clone"):
        cloned_from("cd here\n", "/a")


@pytest.mark.parametrize(("name", "start"), [("README.md", "快速开始"), ("README.en.md", "Quick start")])
def test_readme_begins_with_what_to_install_and_the_clone(name: str, start: str) -> None:
    script = block_with(README.with_name(name).read_text("utf-8"), start, "git clone")
    assert script.startswith("sudo apt-get update && sudo apt-get install")
    assert line_with(cloned_from(script, "/a"), "git clone") == "git clone /a ctpbee_backend"


def test_both_languages_start_alike() -> None:
    """Comments and what stands for the address are in the reader's language."""

    def commands(name: str, start: str) -> list[str]:
        script = block_with(README.with_name(name).read_text("utf-8"), start, "git clone")
        return [line.partition("#")[0].rstrip() for line in cloned_from(script, "/a").splitlines()]

    assert commands("README.md", "快速开始") == commands("README.en.md", "Quick start")
