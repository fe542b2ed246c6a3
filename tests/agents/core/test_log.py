import dataclasses
import json
import sys
import time
import types

import numpy as np
import pytest

from spelunk.agents.core.extras import MissingPackageError
from spelunk.agents.core.log import Log, LogError
from spelunk.agents.core.run import RunConfig, train
from spelunk.agents.core.trainer import Task, Trainer
from spelunk.agents.policy.ppo import Config


class Counter(Trainer):
    """Learns nothing, 16 steps at a time."""

    def step(self):
        self.env_steps += 16
        return {"return_mean": self.env_steps / 4}

    def state(self):
        return {"none": np.zeros(1)}, {"env_steps": self.env_steps}

    def load_state(self, arrays, meta):
        self.env_steps = meta["env_steps"]

    def agent(self):
        raise NotImplementedError


def go(folder, updates=3, resume=False, wandb=None):
    trainer = Counter(Task("spelunk/DoorKey-v0", 10**6, 1), None)
    with Log(folder, trainer, resume, time.perf_counter(), wandb) as log:
        for _ in range(updates):
            log.write(trainer.step())


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


CAVES = {"project": "caves", "config": {"agent": "counter"}}


class FakeWandb(types.ModuleType):
    """What W&B is told; it drops steps that it has, as the real one does."""

    class Error(Exception):
        """W&B's own."""

    def __init__(self, broken=False):
        super().__init__("wandb")
        self.broken, self.inits, self.logged, self.exit_codes = broken, [], {}, []
        self.Settings = lambda **settings: settings

    def init(self, **settings):
        if self.broken:
            raise self.Error("no API key")
        self.inits.append(settings)
        return types.SimpleNamespace(
            id=settings.get("id", "abc123"),
            log=lambda metrics, step: self.logged.setdefault(step, metrics),
            finish=lambda exit_code: self.exit_codes.append(exit_code),
        )


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_what_is_logged(tmp_path):
    go(tmp_path)
    found = [{k: v for k, v in line.items() if k != "seconds"} for line in lines(tmp_path)]
    assert found == [{"env_steps": n, "return_mean": n / 4} for n in (16, 32, 48)]
    assert [*tmp_path.glob("events.out.tfevents*")]
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert not (tmp_path / "wandb.json").exists()


def test_wandb_gets_every_metric_at_its_step(tmp_path, wandb):
    go(tmp_path, wandb=CAVES)
    (settings,) = wandb.inits
    assert settings.items() >= CAVES.items()
    assert settings["dir"] == tmp_path
    assert wandb.logged == {n: {"return_mean": n / 4} for n in (16, 32, 48)}
    assert wandb.exit_codes == [0]


def test_a_resumed_run_goes_on_under_its_id_unasked(tmp_path, wandb):
    go(tmp_path, wandb=CAVES)
    go(tmp_path, 2, resume=True)
    first, second = wandb.inits
    assert "id" not in first
    assert second["id"] == "abc123"
    assert second["project"] == "caves"
    assert second["resume"] == "allow"
    assert (
        [*wandb.logged] == [line["env_steps"] for line in lines(tmp_path)] == [*range(16, 96, 16)]
    )


def test_an_error_is_told_to_wandb(tmp_path, wandb, monkeypatch):
    monkeypatch.setattr(Counter, "step", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(tmp_path, wandb=CAVES)
    assert wandb.exit_codes == [1]


def test_no_wandb_unless_asked_for(tmp_path, wandb):
    go(tmp_path)
    go(tmp_path, resume=True)
    assert not wandb.inits


def test_wandb_that_does_not_start(tmp_path, wandb):
    wandb.broken = True
    with pytest.raises(LogError, match=r"no API key.*WANDB_MODE=offline"):
        go(tmp_path, wandb=CAVES)


def test_wandb_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackageError, match=r'pip install "spelunk\[wandb\]"'):
        go(tmp_path, wandb=CAVES)
    assert not [*tmp_path.iterdir()]


def test_train_names_the_project_and_shows_the_run(tmp_path, wandb):
    task = Task("spelunk/DoorKey-v0", total_steps=512, num_envs=16, env_kwargs={"size": 5})
    run = RunConfig("ppo", task, dataclasses.asdict(Config(num_steps=16)))
    train(run, tmp_path, progress=False, evaluation_episodes=16, wandb="caves")
    assert wandb.inits[0]["project"] == "caves"
    assert wandb.inits[0]["config"] == dataclasses.asdict(run)


def test_wandb_offline(tmp_path, monkeypatch):
    """The library itself, without a network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    go(tmp_path, wandb=CAVES)
    kept = (tmp_path / "wandb.json").read_text()
    id = json.loads(kept)["id"]
    (written,) = (tmp_path / "wandb").glob(f"offline-run-*-{id}/run-{id}.wandb")
    deadline = time.monotonic() + 10  # W&B writes from a process of its own.
    while b"return_mean" not in written.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    go(tmp_path, 2, resume=True)
    assert (tmp_path / "wandb.json").read_text() == kept
    assert len([*(tmp_path / "wandb").glob(f"offline-run-*-{id}*")]) == 2
