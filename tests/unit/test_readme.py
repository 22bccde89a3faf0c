"""What README promises about settings and commands is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_settings_table_names_every_setting_with_its_description() -> None:
    rows = {
        name: text for name, _default, text in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README, re.M)
    }
    assert rows == {name: field.description for name, field in Settings.model_fields.items()}


def test_the_documents_that_readme_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README + (ROOT / "README.en.md").read_text("utf-8"))
    assert links
    assert all((ROOT / link).exists() for link in links)


def test_every_make_command_that_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets


def test_both_languages_have_the_same_tour() -> None:
    def tour(text: str) -> str:
        return text.partition("```sh\n")[2].partition("```")[0]

    assert tour(README) == tour((ROOT / "README.en.md").read_text("utf-8")) != ""
