import time

import numpy as np
import pytest

from spelunk.envs.kernel import SpelunkError, bank
from spelunk.envs.kernel.bank import load_bank

MODULE = """
import numpy as np

def make(seed):
    rng = np.random.default_rng(seed)
    plan = rng.integers(4, size=rng.integers(1, 9))
    grid = rng.integers(2, size=(3, 3), dtype=np.int8)
    return {"grid": grid, "cost": len(plan), "plan": plan, "sight": np.ones(len(plan), np.uint8)}

def fail(seed):
    raise ValueError(f"no instance for {seed}")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "levels_for_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SPELUNK_CACHE_DIR", str(tmp_path / "cache"))
    import importlib

    load_bank.cache_clear()
    return importlib.reload(importlib.import_module("levels_for_test"))


def test_instances_are_stacked_and_filled_up(module):
    bank = load_bank("levels", module.make, 30)
    assert bank["grid"].shape == (30, 3, 3)
    assert bank["grid"].dtype == np.int8
    assert ((bank["plan"] >= 0).sum(axis=1) == bank["cost"]).all()
    assert not bank["cost"].flags.writeable


def test_a_smaller_bank_is_the_beginning_of_a_larger(module):
    small, large = (load_bank("levels", module.make, n) for n in (5, 12))
    assert (small["grid"] == large["grid"][:5]).all()
    other = load_bank("levels", module.make, 5, seed=1)
    assert (small["grid"] != other["grid"]).any()


def test_other_processes_make_the_same(module, monkeypatch):
    here = load_bank("levels", module.make, 40)
    load_bank.cache_clear()
    monkeypatch.setattr(bank, "_PATIENCE", 0.0)
    monkeypatch.setattr(bank, "user_folders", list)
    there = load_bank("levels", module.make, 40)
    assert there.keys() == here.keys()
    assert all((there[name] == here[name]).all() for name in here)


def test_a_bank_is_found_again_until_its_file_changes(module, tmp_path):
    def files():
        return {file.name for file in (tmp_path / "cache/banks").iterdir()}

    load_bank("levels", module.make, 3)
    (first,) = files()
    begin = (tmp_path / "cache/banks" / first).stat().st_mtime_ns
    load_bank.cache_clear()
    time.sleep(0.01)
    load_bank("levels", module.make, 3)
    assert (tmp_path / "cache/banks" / first).stat().st_mtime_ns == begin
    (tmp_path / "levels_for_test.py").write_text(MODULE + "# edited")
    load_bank.cache_clear()
    load_bank("levels", module.make, 3)
    assert len(files()) == 2


def test_what_fails_is_said(module, monkeypatch):
    monkeypatch.setattr(bank, "_PATIENCE", 0.0)
    with pytest.raises(ValueError, match="no instance"):
        load_bank("levels", module.fail, 3)
    with pytest.raises(SpelunkError, match="no instance"):
        bank._in_a_process(module.fail, [1])
