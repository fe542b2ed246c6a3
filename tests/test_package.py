import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import spelunk
from spelunk.envs.registry import ENTRIES

ROOT = Path(__file__).parents[1]
CODE = ("agents", "envs", "wrappers", "assets")


def in_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy():
    code = "import sys, spelunk; print(*sys.modules)"
    loaded = {name.split(".")[0] for name in in_process(code).split()}
    assert "gymnasium" in loaded
    heavy = {"torch", "transformers", "numba", "matplotlib", "stable_baselines3", "bm25s"}
    assert not loaded & heavy


def test_making_an_environment_does_not_import_torch():
    code = "import sys, spelunk, gymnasium\ngymnasium.make('spelunk/DoorKey-v0').reset()\n"
    assert "torch" not in in_process(code + "print(*sys.modules)").split()


def test_everything_promised_is_there():
    for name in spelunk.__all__:
        assert getattr(spelunk, name) is not None
    with pytest.raises(AttributeError):
        _ = spelunk.nonsense


def imports(path):
    """The modules of the package that a file imports, as paths below its root."""
    place = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = place[: len(place) - node.level + 1]
            names = node.module.split(".") if node.module else []
            for alias in node.names:
                yield "/".join((*base, *names, alias.name))


def test_nothing_imports_upwards():
    """envs know neither wrappers nor agents, wrappers no agents, and no family another."""
    families = {row.family for row in ENTRIES}
    checked = 0
    for floor, above in (("envs", ("wrappers", "agents")), ("wrappers", ("agents",))):
        for path in (ROOT / floor).rglob("*.py"):
            family = path.relative_to(ROOT).parts[1]
            others = tuple(f"envs/{f}/" for f in families - {family} if family in families)
            for target in imports(path):
                checked += 1
                assert not target.startswith((*above, *others)), f"{path} imports {target}"
    assert checked > 50


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_asset(tmp_path):
    # From a copy, because a build folder left in the checkout could hide a missing module.
    source = tmp_path / "source"
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "runs", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet",
         "--wheel-dir", str(tmp_path), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("py3-none-any.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {"spelunk/__init__.py", "spelunk/__main__.py", "spelunk/py.typed"}
    for folder in CODE:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(f"spelunk/{path.relative_to(ROOT)}")
    assert expected <= inside
    assert not [name for name in inside if name.startswith(("spelunk/tests", "spelunk/benchmarks"))]


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == spelunk.__version__
    assert f"version: {spelunk.__version__}" in (ROOT / "CITATION.cff").read_text()
