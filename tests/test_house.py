"""The house rules, carried out: who imports whom, what the core may not touch, and what no file may look like.

Each check is a function of a folder that returns complaints, so that every one of them is also shown a planted defect.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = ("domain", "rules", "products", "ledger", "audit", "usecases")
LONGEST_FILE_LINES = 500
LONGEST_FUNCTION_LINES = 70
ROOMS_THAT_MEAN_NOTHING = {"utils", "util", "common", "helpers", "helper", "services", "models", "crud", "misc", "lib"}
# What others wrote and we only carry along keeps its own ways.
VENDORED = "app/api/static/"

# Written in pieces, so that this file does not complain of itself.
REGISTRIES = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "npm" + "mirror.com",
            "deb.debian" + ".org", "proxy.go" + "lang.org", "mirrors.ali" + "yun.com", "tuna.tsing" + "hua.edu.cn",
        )
    )
)  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.\-/{}])/(?:root|work|Users/\w+|home/\w+)/\w")


# ---- the checks -----------------------------------------------------------------------------------------------------


def rooms_out_of_order(root: Path) -> list[str]:
    """This function will return what import-linter says of the contracts in pyproject.toml, nothing if all are kept."""
    finished = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports as l; raise SystemExit(l(no_cache=True))"],
        cwd=root, capture_output=True, text=True, env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return [] if finished.returncode == 0 else [finished.stdout + finished.stderr]


def untidy_lines(root: Path) -> list[str]:
    """This function will return ruff's complaints under the rules in pyproject.toml."""
    finished = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--quiet", "."],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    return [] if finished.returncode == 0 else (finished.stdout + finished.stderr).splitlines()


def floats_in_the_core(root: Path) -> list[str]:
    """This function will return every place in the core and the use cases where a float is, or could come to be."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: {why}"
        for path in _python_files(root, *(f"app/{room}" for room in CORE))
        for node, why in _floats(ast.parse(path.read_text("utf-8")))
    ]


def _floats(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    exact = any(
        isinstance(node, ast.ImportFrom | ast.Import)
        and {"decimal", "fractions"} & {getattr(node, "module", None), *(name.name for name in node.names)}
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node, f"the float literal {node.value!r}"
            case ast.Name(id="float" | "complex") | ast.Attribute(attr="total_seconds"):
                yield node, "a float by name"
            case ast.Import(names=names) if any(name.name in {"math", "statistics"} for name in names):
                yield node, "a module that computes in floats"
            case ast.ImportFrom(module="math" | "statistics"):
                yield node, "a module that computes in floats"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()) if not exact:
                yield node, "a true division of integers"


def overlong_files(root: Path) -> list[str]:
    """This function will return the Python files with more lines than anybody reads at once."""
    return [
        f"{path.relative_to(root)} has {lines} lines of at most {LONGEST_FILE_LINES}"
        for path in _python_files(root, "app", "tests", "migrations", "benchmarks")
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE_LINES
    ]


def overlong_functions(root: Path) -> list[str]:
    """This function will return the functions in app/ that do not fit a screen, docstring included."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: {node.name} has {lines} lines of at most {LONGEST_FUNCTION_LINES}"
        for path in _python_files(root, "app")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION_LINES
    ]


def meaningless_rooms(root: Path) -> list[str]:
    """This function will return the modules and packages in app/ whose name says nothing of what is in them."""
    return [
        str(path.relative_to(root))
        for path in sorted((root / "app").rglob("*"))
        if path.stem in ROOMS_THAT_MEAN_NOTHING and (path.is_dir() or path.suffix == ".py")
    ]


def silent_modules(root: Path) -> list[str]:
    """This function will return the public modules in app/ that do not say what neighbours may rely on."""
    return [
        str(path.relative_to(root))
        for path in _python_files(root, "app")
        if (path.name == "__init__.py" or not path.name.startswith("_"))
        and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]


def addresses_of_one_machine(root: Path) -> list[str]:
    """This function will return the lines that name a package registry or a folder of somebody's machine."""
    return [
        f"{path.relative_to(root)}:{number}: {found.group()}"
        for path in _tracked_files(root)
        for number, line in enumerate(_text(path).splitlines(), 1)
        for found in [REGISTRIES.search(line) or MACHINE_PATHS.search(line)]
        if found
    ]


def reads_for_nobody(root: Path) -> list[str]:
    """This function will return the calls of a store that do not say whose rows they may see (row-level security)."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: .{node.func.attr}(…, lenders=…) says whose rows: some lenders, "
        "EVERY_LENDER or NO_LENDER"
        for path in _python_files(root, "app")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("read", "write")
        and getattr(node.func.value, "attr", getattr(node.func.value, "id", "")) in ("_store", "store")
        and "lenders" not in {keyword.arg for keyword in node.keywords}
    ]


def _python_files(root: Path, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def _tracked_files(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:
        # An unpacked archive has no git, and no folders of ours either but those named here.
        names = [str(path.relative_to(root)) for path in root.rglob("*") if not {".venv", ".cache"} & {*path.parts}]
    return [root / name for name in names if name and not name.startswith(VENDORED) and (root / name).is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


# ---- the tests ------------------------------------------------------------------------------------------------------

Check = Callable[[Path], list[str]]


class TestTheHouse:
    @pytest.mark.parametrize(
        "check",
        [
            rooms_out_of_order,
            untidy_lines,
            floats_in_the_core,
            overlong_files,
            overlong_functions,
            meaningless_rooms,
            silent_modules,
            addresses_of_one_machine,
            reads_for_nobody,
        ],
    )
    def test_has_no(self, check: Check):
        complaints = check(ROOT)

        assert not complaints, "\n" + "\n".join(complaints)

    def test_has_checked_real_rooms(self):
        assert len(_python_files(ROOT, "app")) > len(CORE)
        assert ROOT / "Makefile" in _tracked_files(ROOT)


PLANTED: list[tuple[Check, str, str, str]] = [
    (rooms_out_of_order, "app/domain/planted.py", "import app.rules", "app.domain is not allowed to import app.rules"),
    (rooms_out_of_order, "app/rules/planted.py", "import app.audit", "app.rules is not allowed to import app.audit"),
    (rooms_out_of_order, "app/api/planted.py", "import app.adapters", "app.api is not allowed to import app.adapters"),
    (rooms_out_of_order, "app/utils/__init__.py", "", "not listed as layers"),
    (rooms_out_of_order, "app/domain/planted.py", "import os", "app.domain is not allowed to import os"),
    (rooms_out_of_order, "app/usecases/planted.py", "import sqlalchemy", "is not allowed to import sqlalchemy"),
    (rooms_out_of_order, "app/usecases/planted.py", "from time import time", "is not allowed to import time"),
    (untidy_lines, "app/rules/planted.py", "import datetime\nd = datetime.date.today()\n", "TID251"),
    (untidy_lines, "app/usecases/planted.py", "from datetime import datetime, UTC\nd = datetime.now(UTC)\n", "TID251"),
    (untidy_lines, "app/audit/planted.py", "import uuid\nd = uuid.uuid4()\n", "TID251"),
    (untidy_lines, "app/api/planted.py", "print('seen')\n", "T201"),
    (untidy_lines, "app/api/planted.py", f"name = '{'x' * 120}'\n", "E501"),
    (floats_in_the_core, "app/rules/planted.py", "share = 0.5", "literal 0.5"),
    (floats_in_the_core, "app/rules/planted.py", "share = float('1')", "by name"),
    (floats_in_the_core, "app/usecases/planted.py", "def f(a: int): return a / 3", "true division"),
    (floats_in_the_core, "app/audit/planted.py", "from math import log2", "computes in floats"),
    (overlong_files, "tests/test_planted.py", "x = 1\n" * (LONGEST_FILE_LINES + 1), "501 lines"),
    (overlong_functions, "app/api/planted.py", "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION_LINES, "f has 71 lines"),
    (meaningless_rooms, "app/adapters/helpers.py", "", "helpers.py"),
    (meaningless_rooms, "app/services/__init__.py", "", "app/services"),
    (silent_modules, "app/adapters/planted.py", "x = 1", "app/adapters/planted.py"),
    (addresses_of_one_machine, "docs/planted.md", "pip install -i https://pypi" + ".org/simple", "pypi"),
    (reads_for_nobody, "app/adapters/planted.py", "async def f(self): await self._store.read(1)", "whose rows"),
    (addresses_of_one_machine, "docs/planted.md", "cd " + "/home" + "/somebody/jifendai", "/home"),
]


@pytest.fixture(scope="module")
def sound_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small house that keeps every rule: the real configuration over empty rooms."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", root)
    for room in ("", *CORE, "adapters", "api"):
        (root / "app" / room).mkdir(parents=True, exist_ok=True)
        (root / "app" / room / "__init__.py").write_text('"""A room."""\n')
    return root


class TestAPlantedDefect:
    @pytest.mark.parametrize("check", sorted({check for check, *_ in PLANTED}, key=lambda check: check.__name__))
    def test_is_not_found_in_a_sound_house_by(self, check: Check, sound_house: Path):
        assert check(sound_house) == []

    @pytest.mark.parametrize(("check", "path", "text", "complaint"), PLANTED)
    def test_is_found_by(
        self, check: Check, path: str, text: str, complaint: str, sound_house: Path, tmp_path: Path
    ):
        root = shutil.copytree(sound_house, tmp_path / "house")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

        complaints = check(root)

        assert complaint in "\n".join(complaints)
