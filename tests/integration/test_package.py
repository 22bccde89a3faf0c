"""The package as it is installed: a command, its data, and nothing that a checkout alone has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.confinement import confined

ROOT = Path(__file__).parents[2]
REQUIREMENTS = tuple(f"requirements{kind}.txt" for kind in ("", "-ctp", "-dask", "-filing"))


def said(*command: object, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's bin/. What the package needs it finds in the one that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    said(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    bin_ = folder / "venv" / "bin"
    uv = Path(sys.executable).with_name("uv")
    said(uv, "pip", "install", "--offline", "--no-deps", "--python", bin_ / "python", wheel)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib"))
    return bin_


def test_the_command_is_there_and_says_its_version(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    command = installed / "ctpbee-backend"
    assert said(command, "--version", cwd=tmp_path) == f"ctpbee_backend {version}\n"
    text = said(command, "--help", cwd=tmp_path)
    assert text.startswith("Usage: ctpbee-backend")
    assert "import-bars" in text


def test_the_package_has_its_data_and_its_user_s_place(installed: Path, tmp_path: Path) -> None:
    script = (
        "from app.counter.products import TABLE; from app.lib import sessions, calendar;"
        "from app.host import strategy_place; from app.settings import Settings;"
        "assert all(path.is_file() for path in (TABLE, sessions.TABLE, calendar.HOLIDAYS));"
        "settings = Settings.load(); strategy_place.make_ready(settings);"
        "print(TABLE, settings.data_dir, *(p.name for p in settings.strategies_dir.iterdir()), sep='\\n')"
    )
    table, data_dir, *files = said(
        installed / "python", "-c", script, cwd=tmp_path, XDG_DATA_HOME=str(tmp_path / "share")
    ).splitlines()
    assert Path(table).is_relative_to(installed.parent)
    assert Path(data_dir) == tmp_path / "share" / "ctpbee-backend" / "data"
    assert files == ["double_average.py"]


@pytest.mark.parametrize("is_built", [True, False])
def test_a_package_has_the_page_where_it_was_built(tmp_path: Path, is_built: bool) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", *REQUIREMENTS):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "app").mkdir()
    shutil.copy(ROOT / "app" / "__init__.py", tmp_path / "app")
    shutil.copytree(ROOT / "strategies", tmp_path / "strategies")
    built = tmp_path / "page" / "dist" / "assets"
    if is_built:
        built.mkdir(parents=True)
        (built.parent / "index.html").touch()
        (built / "index-1.js").touch()
    said(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "made", cwd=tmp_path)
    (wheel,) = (tmp_path / "made").glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "page" in name}
    assert names == ({"app/page_dist/index.html", "app/page_dist/assets/index-1.js"} if is_built else set())


def test_an_installed_package_looks_for_its_page_in_itself(installed: Path, tmp_path: Path) -> None:
    script = "from app.web.built_page import PLACE; import app; print(PLACE, app.__path__[0], sep='\\n')"
    place, package = said(installed / "python", "-c", script, cwd=tmp_path).splitlines()
    assert Path(place) == Path(package) / "page_dist"
    assert Path(package).is_relative_to(installed.parent)


@confined
def test_a_strategy_in_its_cage_finds_what_the_installed_package_is_made_of(
    installed: Path, tmp_path: Path
) -> None:
    """The environment may lie anywhere: here below the folder that is empty inside."""
    inside = "import os, app.strategy.app; open(os.environ['HOME'] + '/facts', 'w').write(app.__path__[0])"
    script = (
        "import sys; from pathlib import Path; from app.workshop.containment import Containment;"
        "from app.process import child; from app.settings import Settings; from app.workshop import sandbox;"
        "settings = Settings.load(); cages = Containment(settings); assert cages.check();"
        "folder = settings.data_dir / 'accounts' / 'a' / 'strategies' / 'x'; folder.mkdir(parents=True);"
        f"running = child.start([sandbox.python(), '-c', {inside!r}], settings, 'x',"
        " environment=cages.environment(folder, True), cage=cages.cage(folder, []));"
        "assert running.wait(60); assert running.exit_code == 0, running.exit_code;"
        "print((folder / 'facts').read_text())"
    )
    found = said(
        installed / "python",
        "-c",
        script,
        cwd=tmp_path,
        XDG_DATA_HOME=str(tmp_path / "share"),
        CTPBEE_BACKEND_STRATEGY_PATHS=sysconfig.get_path("purelib"),  # only here they lie elsewhere
    )
    assert Path(found.strip()).is_relative_to(installed.parent)


@pytest.mark.full
def test_pip_alone_installs_it_without_a_compiler(tmp_path: Path) -> None:
    """README's two lines, in a fresh environment where no compiler can be called."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    none = {"CC": "/bin/false", "CXX": "/bin/false"}
    lines = ("pip install --no-deps -r requirements.lock", "pip install --no-deps .")
    readme = (ROOT / "README.md").read_text("utf-8")
    for line in lines:
        assert line in readme
        said(python, "-m", *line.split(), **none)
    assert "import-bars" in said(python.with_name("ctpbee-backend"), "--help", cwd=tmp_path)
    said(python, "-c", "from app.commands.web import web_command; import app.gateway.__main__", cwd=tmp_path)


def test_a_stale_lock_is_told() -> None:
    assert said("sh", "tools/lock.sh", "check") == ""


def test_a_changed_requirement_makes_its_lock_stale(tmp_path: Path) -> None:
    for path in [*ROOT.glob("requirements*"), ROOT / "overrides.txt"]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    check = ["sh", str(ROOT / "tools/lock.sh"), "check"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    with open(tmp_path / "requirements-test.txt", "a") as file:
        file.write("another>=1\n")
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "requirements-test.lock 与要求不符，请执行 make lock 并提交\n"
