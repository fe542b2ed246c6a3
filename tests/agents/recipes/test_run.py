"""Running a recipe: arms in folders of their own, which are not run twice, and the verdict."""

import dataclasses
import json
import math
import os
import signal

import numpy as np
import pytest

from spelunk.agents.core.helper_process import begin_helper
from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.measuring.measure import Samples
from spelunk.agents.llm.training.trainer import LanguageModelTrainer
from spelunk.agents.recipes import run as module
from spelunk.agents.recipes import start
from spelunk.agents.recipes.beds import BEDS, bed
from spelunk.agents.recipes.recipe import Recipe, above
from spelunk.agents.recipes.run import arm_run, run, run_arm
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.errors import UnsupportedFaceError


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A recipe on a bed whose starting model has just been made, and knows next to nothing."""
    made = dataclasses.replace(
        bed("countdown"),
        sizes={"hidden_size": 16, "layers": 1, "heads": 2},
        start_score=0.0,
        test_every=1,
        lanes=16,
        updates={"smoke": 2},
    )
    monkeypatch.setattr(type(made), "start", property(lambda self: tmp_path / "start"))
    monkeypatch.setitem(BEDS, "countdown", made)
    monkeypatch.setitem(module._PROBLEMS, "laptop", 4)
    monkeypatch.setitem(module._PROBLEMS, "smoke", 4)
    told = []
    figures = start.make_start(made, made.start, tell=told.append)
    assert figures["updates"] == len(told) == 1
    assert (made.start / "model.safetensors").exists()
    return Recipe(
        "tiny", "a paper", "a claim", "in size", "countdown", "grpo",
        {"grpo": {}, "bonus": {"regularisers": ("entropy_bonus(coefficient=0.1)",)}},
        (above("entropy_end", "bonus", "grpo", -9.0), above("pass_1", "bonus", "grpo", 1.0)),
    )  # fmt: skip


def test_an_arm_is_trained_once(tiny, tmp_path):
    training, folder = arm_run(tiny, "bonus", 0, "smoke"), tmp_path / "bonus"
    figures = run_arm(training, bed("countdown"), "smoke", folder)
    assert 0 <= figures["pass_1"] <= figures["pass_16"] <= 1
    assert figures["tokens"] > 0
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["entropy_bonus_touched"] == 1
    said = (folder / "samples.txt").read_text().splitlines()
    assert len(said) == 4 * 17
    assert all(line.startswith(("  + ", "  - ")) for line in said[1:17])
    assert figures["start_pass_1"] == 0
    kept = (folder / "figures.json").stat().st_mtime_ns
    assert run_arm(training, bed("countdown"), "smoke", folder) == figures
    assert (folder / "figures.json").stat().st_mtime_ns == kept


def test_an_arm_that_was_interrupted_is_not_measured(tiny, tmp_path, monkeypatch):
    training, folder = arm_run(tiny, "grpo", 0, "smoke"), tmp_path / "arm"
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelTrainer, "step", interrupted(LanguageModelTrainer.step))
        with pytest.raises(KeyboardInterrupt):
            run_arm(training, bed("countdown"), "smoke", folder)
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    assert not (folder / "figures.json").exists()
    assert run_arm(training, bed("countdown"), "smoke", folder)["env_steps"] == 32


def interrupted(step):
    """An update during which somebody asks to stop."""

    def stop(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return step(self)

    return stop


def test_the_gate_is_judged(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ProcessPoolExecutor", InThisProcess)
    told = []
    found = run(tiny, "smoke", 2, tmp_path / "out", tell=told.append)
    assert found["passed"] is False
    assert [check["passed"] for check in found["checks"]] == [True, False]
    assert set(found["table"]) == {"grpo", "bonus"}
    assert len(told) == 4
    out = tmp_path / "out"
    assert json.loads((out / "tiny-smoke" / "recipe.json").read_text())["seeds"] == 2
    assert (out / "tiny-smoke" / "curves.png").read_bytes()[1:4] == b"PNG"
    other = dataclasses.replace(
        tiny,
        name="other",
        baseline="plain",
        arms={"plain": {}},
        gate=(above("pass_1", "plain", "plain", -1.0),),
    )
    assert run(other, "smoke", 2, out)["passed"]
    assert len([*(out / "arms").iterdir()]) == 4, "the same training is not run twice"

    names, rows = found["trainings"]["bonus"], found["table"]["bonus"]
    known, elsewhere = dict(zip(names, rows, strict=True)), tmp_path / "elsewhere"
    again = run(tiny, "smoke", 2, elsewhere, known=known)
    assert again["table"]["bonus"] == rows
    assert again["trainings"] == found["trainings"]
    assert len([*(elsewhere / "arms").iterdir()]) == 2, "nor is what has been run elsewhere"
    known |= zip(found["trainings"]["grpo"], found["table"]["grpo"], strict=True)
    assert run(tiny, "smoke", 2, tmp_path / "nowhere", known=known)["checks"] == found["checks"]
    assert not (tmp_path / "nowhere" / "arms").exists()


def test_arms_that_play_more_in_between_begin_with_fewer_episodes(tiny, tmp_path):
    """As many answers in both arms, and most of the hard problems are what both must solve."""
    made = dataclasses.replace(bed("countdown"), critiques=True, parts=2)
    start.make_start(made, made.start)
    kept = json.loads((made.start / "start.json").read_text())
    assert kept["right"] == [0] * 4
    assert set(kept["second_answers"]) == {"fresh", "indicator", "full"}
    refining = {"group_size": 6, "editors": ("refine(answers=2)",)}
    other = dataclasses.replace(
        tiny, arms={"grpo": {}, "refining": refining}, lanes={"refining": 12}
    )
    runs = {arm: arm_run(other, arm, 0, "smoke") for arm in other.arms}
    assert [run.task.num_envs for run in runs.values()] == [16, 12]
    figures = {
        arm: run_arm(run, bed("countdown"), "smoke", tmp_path / arm) for arm, run in runs.items()
    }
    for arm in other.arms:
        rows = [json.loads(r) for r in (tmp_path / arm / "metrics.jsonl").read_text().splitlines()]
        assert rows[-1]["env_steps"] == 32
        assert figures[arm]["hard_pass_1"] == figures[arm]["pass_1"]


def test_a_starting_model_corrects_better_than_it_answers(monkeypatch):
    """Without that there is nothing to be learned from its corrections."""
    on = bed("countdown-critique")
    kept = json.loads((on.start / "start.json").read_text())
    assert 0.2 <= kept["figures"]["pass_1"] <= 0.25
    agent = LanguageModelAgent.from_pretrained(on.start, max_tokens=on.max_tokens)
    monkeypatch.setattr(start, "_CORRECTED", (64, 4))
    for shares in (kept["second_answers"], start.second_answers(agent, on)):
        assert min(shares["indicator"], shares["full"]) > shares["fresh"] + 0.04


def test_hard_problems_are_those_never_solved_at_first():
    asked = Samples([["a", "b"]] * 3, np.array([[True, False], [False, True], [True, True]]))
    assert module.measure_hard(asked, [0, 3, 0, 5]) == {"hard_pass_1": 0.75}
    assert module.measure_hard(asked, [1, 1, 1, 0]) == {}


def test_wrong_arguments_are_explained(tiny, tmp_path):
    with pytest.raises(InvalidArgumentError, match="scale"):
        run(tiny, "galactic", 2, tmp_path)
    with pytest.raises(InvalidArgumentError, match="seeds"):
        run(tiny, "smoke", 1, tmp_path)


def test_the_scale_of_a_gpu_wants_one(tiny, tmp_path, monkeypatch):
    large = dataclasses.replace(bed("countdown"), updates={"smoke": 1, "gpu": 2})
    monkeypatch.setitem(BEDS, "countdown", large)
    assert arm_run(tiny, "grpo", 0, "gpu").task.device == "cuda"
    assert arm_run(tiny, "grpo", 0, "smoke").task.device == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UnsupportedFaceError, match="gpu"):
        run(tiny, "gpu", 2, tmp_path)


class InThisProcess:
    """Stands in for a pool, whose processes would not know of what the tests have changed."""

    def __init__(self, workers, context, begin):
        assert begin is begin_helper, "workers end with whoever started them"

    def shutdown(self, cancel_futures):
        assert cancel_futures

    def submit(self, work, *arguments):
        from concurrent.futures import Future

        future = Future()
        future.set_result(work(*arguments))
        return future


def test_answers_are_the_same_whatever_was_thought_before_them():
    asked = Samples([["step 1 answer 7"] * 8 + ["step 2 answer 7"] * 8], np.ones((1, 16), bool))
    assert module.measure(asked)["answer_entropy"] == 0
    asked = Samples([["answer 6"] * 8 + ["answer 7"] * 8], np.ones((1, 16), bool))
    assert module.measure(asked)["answer_entropy"] == pytest.approx(math.log(2))


def test_the_law_is_read_from_the_log(tmp_path):
    log = tmp_path / "metrics.jsonl"
    rows = [{"imitation_loss": 1.0}]
    for point in range(20):
        entropy = 0.6 - 0.02 * point
        reward = 0.9 - 0.4 * math.exp(entropy)
        rows += [
            {"sampled_entropy": entropy, "return_mean": reward + noise, "tokens": 3.0}
            for noise in (-0.1, 0.1)
        ]
    log.write_text("\n".join(json.dumps(row) for row in rows))
    found = module.logged(log)
    assert found["tokens"] == 120
    assert found["entropy_kept"] == pytest.approx(0.23 / 0.59)
    assert (found["law_a"], found["law_b"]) == pytest.approx((0.4, 0.9))
    assert found["law_predicted"] == pytest.approx(found["law_actual"])
    assert found["law_error"] == pytest.approx(0)
    log.write_text("\n".join(json.dumps(row) for row in rows[:-1]))
    assert "law_a" not in module.logged(log), "too short a training"


def test_what_was_spent_is_read_from_the_log(tmp_path):
    log, row = tmp_path / "metrics.jsonl", {"sampled_entropy": 1.0, "return_mean": 0, "tokens": 2}
    spent = {"env_steps": 4, "tokens_generated": 2, "tokens_trained": 9, "flops": 300}
    rows = [{**row, **{name: n * count for name, count in spent.items()}} for n in (1, 2)]
    log.write_text("\n".join(json.dumps(row) for row in rows))
    assert {name: module.logged(log)[name] for name in spent} == {
        k: 2 * v for k, v in spent.items()
    }
    log.write_text("\n".join(json.dumps(row) for row in [row, *rows]))
    assert not spent.keys() & module.logged(log).keys(), "not counted from the beginning"
