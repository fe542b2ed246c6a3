"""Every environment of the registry, and a preset of each, keeps the contract."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import spelunk
from spelunk.envs.kernel.conformance import CHECKS, Subject, fingerprint
from spelunk.envs.registry import ENTRIES

FINGERPRINTS = Path(__file__).parent / "fingerprints.json"
SUBJECTS = [
    Subject(row.id, kwargs, row.randomness) for row in ENTRIES for kwargs in ({}, row.preset)
]
#: A game that one agent plays.
SUBJECTS.append(
    Subject("spelunk/TicTacToe-v0", {"opponent": "random", "plays": "random"}, "dynamics")
)
#: An adversary that draws nothing.
SUBJECTS.append(Subject("spelunk/AdversarialBandit-v0", {"adversary": "anti_ucb"}, "none"))


def name(subject):
    return f"{subject.id.split('/')[1]}{'-' + json.dumps(subject.kwargs) if subject.kwargs else ''}"


# All checks of a subject stand together, so that one process compiles it.
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", SUBJECTS, ids=name)
def test_contract(check, subject):
    """A check raises `AssertionError` itself where the contract is broken."""
    check(subject)


@pytest.mark.parametrize("subject", SUBJECTS, ids=name)
def test_fingerprint(subject):
    """A change of dynamics needs a new version of the id, and then a new fingerprint."""
    assert json.loads(FINGERPRINTS.read_text())[name(subject)] == fingerprint(subject)


@pytest.mark.parametrize("subject", SUBJECTS, ids=name)
def test_reference(subject):
    stored = spelunk.reference(subject.id, **subject.kwargs)
    assert stored.best is not None
    assert stored.random < stored.best
    assert stored.episodes >= 1000
    assert stored.normalize(stored.random) == 0
    assert stored.normalize(stored.best) == 1


@pytest.mark.parametrize("row", ENTRIES, ids=lambda row: row.id)
def test_presets_have_stored_references(row):
    stored = json.loads((Path(__file__).parents[2] / "assets/references.json").read_text())
    for kwargs in ({}, row.preset):
        assert f"{row.id} {json.dumps(kwargs, sort_keys=True)}" in stored


@pytest.mark.parametrize("row", ENTRIES, ids=lambda row: row.id)
def test_registration(row):
    assert row.preset, "every environment names a preset for the tests"
    spec = gymnasium.spec(row.id)
    assert json.loads(spec.to_json())["id"] == row.id
    sections = (
        "Description",
        "Observation Space",
        "Action Space",
        "Rewards",
        "Starting State",
        "Episode End",
        "Arguments",
        "Reference Scores",
        "Version History",
    )
    text = row.load().__doc__
    places = [text.find(f"## {section}\n") for section in sections]
    assert -1 not in places
    assert places == sorted(places)


def test_without_compilation():
    """The same kernels as plain Python give the same bits."""
    rows = [row for row in ENTRIES if "model" in row.faces]
    code = (
        "import json, spelunk\n"
        "from spelunk.envs.kernel.conformance import Subject, fingerprint\n"
        f"ids = {[(row.id, row.preset) for row in rows]!r}\n"
        "print(json.dumps([fingerprint(Subject(*each), steps=60) for each in ids]))\n"
    )
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    compiled = [fingerprint(Subject(row.id, row.preset), steps=60) for row in rows]
    assert json.loads(done.stdout) == compiled
