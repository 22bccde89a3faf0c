"""pylint over one text, its messages in the reference's shape. Imports pylint when called. Runs in a child
process (app/workshop/checking.py), since it takes its time.

Like the reference it leaves conventions and refactoring (C, R) aside. Third-party packages other than ctpbee
are not followed: to read pandas alone costs five seconds, and says nothing of the strategy.
"""

from __future__ import annotations

import ast
import os
import pkgutil
import site
from pathlib import Path

from app.lib.strategy_check import Finding

FOLLOWED = "ctpbee"
DISABLED = "R,C,arguments-renamed"  # ctpbee calls its callbacks by position
OURS = r"self\.(success|name)$"  # what a strategy's process adds to ctpbee's API: see app/strategy/loader.py


def lint(text: str, path: Path) -> list[Finding]:
    """pylint's findings in the order of the lines. `path` is where it may write the text for that. It must
    not be hostile in its size or nesting: strategy_lib.parse_tree has compiled it, or has found a syntax
    error.
    """
    from pylint.lint import Run
    from pylint.reporters import CollectingReporter

    path.write_text(text, "utf-8", newline="")
    reporter = CollectingReporter()
    arguments = [f"--disable={DISABLED}", f"--rcfile={os.devnull}", f"--generated-members={OURS}"]
    arguments += ["--persistent=n", "--score=n", "--jobs=1"]
    run = Run(
        [*arguments, f"--ignored-modules={','.join(_not_followed(text))}", str(path)],
        reporter=reporter,
        exit=False,
    )
    return [
        {
            "code": message.msg_id,
            "error": message.symbol,
            "message": message.msg.replace(str(path), path.name).replace(
                f" ({path.stem}, line {message.line})", ""
            ),
            "line": message.line,
            "error_info": run.linter.msgs_store.get_message_definitions(message.msg_id)[0].description,
        }
        for message in sorted(reporter.messages, key=lambda message: (message.line, message.msg_id))
    ]


def _not_followed(text: str) -> list[str]:
    """Installed packages, and what of them this text imports: they exist, and are taken as they are."""
    installed = {module.name for module in pkgutil.iter_modules(site.getsitepackages())} - {FOLLOWED}
    names = set(installed)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return sorted(names)
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules = [node.module]
        for module in modules:
            if module.partition(".")[0] in installed:
                names.add(module)
    return sorted(names)
