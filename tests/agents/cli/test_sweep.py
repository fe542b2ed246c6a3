import dataclasses
import json
import os
import shutil
import signal
import sys

import pytest

from spelunk.agents import registry
from spelunk.agents.cli import sweep as module
from spelunk.agents.cli.main import main
from spelunk.agents.cli.sweep import (
    SweepError,
    plan,
    read_grid,
    report,
    run_trial,
    sweep,
)
from spelunk.agents.cli.sweep_options import SweepOptions

PPO = registry.entry("ppo")


@dataclasses.dataclass(frozen=True)
class Config:
    gamma: float = 0.9
    anneal: bool = True
    hidden: tuple[int, ...] = (8,)


def given(*words):
    return [arguments for arguments, _ in read_grid(Config, words)]


def made(out, *words, seeds=(0,)):
    options = SweepOptions(seeds, total_steps=2048, num_envs=16, out=out)
    return plan(PPO, "spelunk/DoorKey-v0", {"size": 5}, words, options), options


def test_the_grid():
    assert given() == [{}]
    assert given("--gamma", "0.5", "1", "--anneal", "True", "False") == [
        {"gamma": 0.5, "anneal": True},
        {"gamma": 0.5, "anneal": False},
        {"gamma": 1.0, "anneal": True},
        {"gamma": 1.0, "anneal": False},
    ]
    assert given("--no-anneal", "--gamma=0.5") == [{"anneal": False, "gamma": 0.5}]
    assert [row["hidden"] for row in given("--hidden", "4", "64,32")] == [(4,), (64, 32)]
    assert read_grid(Config, ["--gamma", "0.5"])[0][1] == Config(gamma=0.5)


def test_trials_are_told_apart(tmp_path):
    trials, _ = made(tmp_path, "--gamma", "0.9", "0.8", seeds=(3, 5))
    assert [trial.folder.name for trial in trials] == ["000-s3", "000-s5", "001-s3", "001-s5"]
    assert [trial.run.task.seed for trial in trials] == [3, 5, 3, 5]
    assert [trial.run.config["gamma"] for trial in trials] == [0.9, 0.9, 0.8, 0.8]


def test_the_ranking(tmp_path):
    trials, _ = made(tmp_path, "--gamma", "0.7", "0.8", "0.9", seeds=(0, 1, 2, 3))
    for trial in trials[:8]:
        trial.folder.mkdir()
        outlier = 100 if trial.run.task.seed == 3 else 0
        summary = {"return_mean": -1.0, "normalized_score": trial.number + outlier}
        (trial.folder / "summary.json").write_text(json.dumps(summary))
    found = report(trials, {trials[-1].folder: "out of memory"})
    assert [row["arguments"]["gamma"] for row in found["ranking"]] == [0.8, 0.7, 0.9]
    assert [row["iqm"] for row in found["ranking"]] == [1, 0, None]
    assert found["trials"][-1]["error"] == "out of memory"
    (trials[0].folder / "summary.json").write_text('{"return_mean": 7, "normalized_score": null}')
    scores = {row["number"]: row["scores"] for row in report(trials, {})["ranking"]}
    assert scores[0] == [7, 0, 0, 100]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--agent.gamma", "0.9", "high"], "--agent.gamma must be float (default 0.99); got high"),
        (["--agent.wisdom", "3"], "--agent.wisdom is unknown"),
        (["--agent.gamma", "0.9", "--agent.gamma", "0.8"], "after one --agent.NAME"),
        (["--seeds", "1", "1"], "seeds must be different"),
    ],
)
def test_mistakes_are_told_before_anything_starts(capsys, tmp_path, words, complaint):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["sweep", "ppo", "spelunk/DoorKey-v0", "--out", str(out), *words])
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not out.exists()


def test_without_ray(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit):
        main(["sweep", "ppo", "spelunk/DoorKey-v0", "--out", str(tmp_path / "out")])
    assert "spelunk[ray]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def go(capsys, out):
    words = ["sweep", "dqn", "spelunk/DoorKey-v0", "--env.size", "5", "--total-steps", "2000"]
    words += ["--num-envs", "16", "--seeds", "0", "--agent.gamma", "0.9", "0.8"]
    main([*words, "--out", str(out), "--json"])
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.mark.slow
def test_a_sweep_and_what_is_missing_of_it(capsys, tmp_path):
    out = tmp_path / "out"
    found = go(capsys, out)
    assert json.loads((out / "sweep.json").read_text()) == found
    assert {row["arguments"]["gamma"] for row in found["ranking"]} == {0.9, 0.8}
    assert [len(row["scores"]) for row in found["ranking"]] == [1, 1]
    for trial in found["trials"]:
        summary = json.loads((out / trial["folder"] / "summary.json").read_text())
        assert summary["return_mean"] == trial["return_mean"]
        assert summary["seed"] == trial["seed"]
        assert trial["error"] is None
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/summary.json")}
    shutil.rmtree(out / "001-s0")
    again = go(capsys, out)
    after = {path: path.stat().st_mtime_ns for path in out.glob("*/summary.json")}
    assert {path.parent.name for path in after if after[path] != before[path]} == {"001-s0"}
    wall = "wall_seconds"
    assert [{**t, wall: 0} for t in again["trials"]] == [{**t, wall: 0} for t in found["trials"]]


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_goes_on_from_its_checkpoint(monkeypatch, tmp_path):
    marker, steps = str(tmp_path / "killed"), str(tmp_path / "steps")

    def killed_once(run, folder):
        from spelunk.agents.core import log

        log.CHECKPOINT_SECONDS = 0
        learner = registry.entry("ppo").load()
        step = learner.step

        def step_or_die(self):
            with open(steps, "a") as file:
                file.write(f"{self.env_steps}\n")
            if self.env_steps == 1024 and not os.path.exists(marker):
                open(marker, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return step(self)

        learner.step = step_or_die
        run_trial(run, folder)

    monkeypatch.setattr(module, "run_trial", killed_once)
    found = sweep(*made(tmp_path / "out", "--num-steps", "32"))
    assert found["trials"][0]["error"] is None
    assert found["trials"][0]["env_steps"] == 2048
    assert os.path.exists(marker)
    with open(steps) as file:
        assert [int(line) for line in file] == [0, 512, 1024, 1024, 1536]


@pytest.mark.slow
def test_a_trial_that_fails_does_not_stop_the_others(monkeypatch, tmp_path):
    def odd(run, folder):
        if run.task.seed == 0:
            raise ZeroDivisionError("by chance")
        folder.mkdir()
        (folder / "summary.json").write_text('{"return_mean": 1, "normalized_score": 0.5}')

    monkeypatch.setattr(module, "run_trial", odd)
    found = sweep(*made(tmp_path, seeds=(0, 1)))
    assert found["trials"][0]["error"] == "ZeroDivisionError: by chance"
    assert found["ranking"][0]["scores"] == [0.5]


def test_a_folder_of_something_else(tmp_path):
    ((trial,), _) = made(tmp_path)
    trial.folder.mkdir()
    trial.run.write(trial.folder)
    assert made(tmp_path)[0] == [trial]
    with pytest.raises(SweepError, match="another run"):
        made(tmp_path, "--gamma", "0.5")
