"""Worlds kept on disk: made once, the same as made anew, and never half-written."""

import numpy as np
import pytest

from spelunk.envs.textweb import kept, world
from spelunk.envs.textweb.corpus import _ARRAYS, MIX, Corpus
from spelunk.envs.textweb.kept import kept_folder
from spelunk.envs.textweb.world import KnowledgeWorld

MIXED = {"copy": 1.0, "rumour": 2.0}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPELUNK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(world, "WORTH", 2000)
    return tmp_path / "worlds"


def test_a_kept_world_is_the_world(cache, monkeypatch):
    first = KnowledgeWorld(3, 2000, MIXED, 0.3)
    [folder] = cache.iterdir()
    made = Corpus.__init__
    monkeypatch.setattr(Corpus, "__init__", lambda *a, **k: pytest.fail("it was made again"))
    again = KnowledgeWorld(3, 2000, MIXED, 0.3)
    monkeypatch.setattr(Corpus, "__init__", made)
    assert [*cache.iterdir()] == [folder]
    monkeypatch.setattr(world, "WORTH", 10**9)
    fresh = KnowledgeWorld(3, 2000, MIXED, 0.3)
    queries = [fresh.query(entity, entity * 6) for entity in range(0, 1500, 30)]
    for one in (first, again):
        for name in _ARRAYS:
            np.testing.assert_array_equal(getattr(one.corpus, name), getattr(fresh.corpus, name))
        for mine, theirs in zip(one.search(queries), fresh.search(queries), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert one.questions("chain", 50) == fresh.questions("chain", 50)
        assert one.corpus.text(7) == fresh.corpus.text(7)


def test_other_settings_are_another_world(cache):
    for seed, mix, aliases in ((3, MIX, 0.0), (4, MIX, 0.0), (3, MIXED, 0.0), (3, MIX, 0.5)):
        KnowledgeWorld(seed, 2000, mix, aliases)
    assert len([*cache.iterdir()]) == 4
    KnowledgeWorld(3, 1999)
    assert len([*cache.iterdir()]) == 4, "small worlds are not kept"


def test_a_change_of_the_code_is_another_world(cache, monkeypatch, tmp_path):
    KnowledgeWorld(3, 2000)
    monkeypatch.setattr(kept, "_CODE", kept._CODE[:-1])
    KnowledgeWorld(3, 2000)
    assert len([*cache.iterdir()]) == 2


def test_what_fails_leaves_nothing(cache):
    def fail(folder):
        (folder / "half").write_text("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kept_folder("x", fail)
    assert not [*cache.iterdir()]


def test_the_faster_of_two_processes_wins(cache):
    def make(folder):
        other = kept_folder("x", lambda inner: (inner / "file").write_text("first"))
        assert other is not None
        (folder / "file").write_text("second")

    folder = kept_folder("x", make)
    assert (folder / "file").read_text() == "first"
    assert [*cache.iterdir()] == [folder]


def test_without_a_folder_worlds_are_made(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setattr(kept, "user_folders", lambda: [blocked])
    assert kept_folder("x", lambda folder: None) is None
    assert len(KnowledgeWorld(3, 2000).corpus) == 2000
