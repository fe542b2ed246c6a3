import dataclasses
import io
import json
import subprocess
import sys

import pytest

from spelunk.agents.cli.main import main
from spelunk.agents.core import recording
from spelunk.envs.registry import ENTRIES


def run(capsys, *words):
    main(list(words))
    return capsys.readouterr().out


def value(capsys, *words):
    """The JSON on the last line."""
    return json.loads(run(capsys, *words, "--json").strip().splitlines()[-1])


def test_list(capsys):
    rows = value(capsys, "list")
    assert [row["id"] for row in rows] == [row.id for row in ENTRIES]
    assert all(set(row) == {"id", "family", "faces", "randomness", "reference"} for row in rows)
    table = run(capsys, "list")
    assert "spelunk/DoorKey-v0" in table
    assert "ppo" in table


def test_info_shows_the_page_and_the_arguments(capsys):
    page = run(capsys, "info", "spelunk/DoorKey-v0", "--env.size", "5")
    assert "The agent must pick up a yellow key" in page
    assert "see_through_walls" in page
    assert value(capsys, "info", "spelunk/DoorKey-v0")["arguments"]["size"] == 8


def test_eval_of_an_agent(capsys):
    words = ["eval", "random", "spelunk/DoorKey-v0", "--episodes", "20", "--env.size=5"]
    found = value(capsys, *words)
    assert found["env_kwargs"] == {"size": 5}
    assert found["episodes"] == 20
    assert 0 <= found["return_mean"] < 0.5
    keys = {"normalized_score", "steps_per_second", "wall_seconds", "seed", "versions"}
    assert keys <= found.keys()


def test_train_then_eval_a_run(capsys, tmp_path):
    folder = str(tmp_path / "run")
    words = ["train", "ppo", "spelunk/DoorKey-v0", "--env.size", "5", "--total-steps", "512"]
    words += ["--num-envs", "8", "--agent.num-steps", "16", "--out", folder, "--device", "cpu"]
    summary = value(capsys, *words)
    assert summary["env_steps"] == 512
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["num_steps"] == 16
    again = value(capsys, "eval", folder, "--episodes", "256")
    assert again["return_mean"] == summary["return_mean"]
    assert again.keys() >= summary.keys() - {"env_steps", "peak_memory_bytes"}
    resumed = value(capsys, "train", "--resume", folder)
    assert resumed["env_steps"] == 512


def test_an_agent_is_filmed_where_it_can_be(capsys, tmp_path, monkeypatch):
    words = ["train", "ppo", "spelunk/DoorKey-v0", "--env.size", "5", "--total-steps", "512"]
    words += ["--num-envs", "8", "--agent.num-steps", "16", "--device", "cpu", "--out"]
    run(capsys, *words, str(tmp_path / "filmed"))
    assert (tmp_path / "filmed" / "agent.gif").exists()
    run(capsys, *words, str(tmp_path / "not"), "--no-video")
    assert not (tmp_path / "not" / "agent.gif").exists()
    row = dataclasses.replace(ENTRIES[0], faces=("single", "vector"))
    monkeypatch.setattr(recording, "entry", lambda _: row)
    out = run(capsys, *words, str(tmp_path / "cannot"))
    assert "no agent.gif: spelunk/DoorKey-v0 cannot be drawn" in out
    assert "written to" in out
    assert not (tmp_path / "cannot" / "agent.gif").exists()


def test_wandb_that_is_not_installed_leaves_no_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    out = tmp_path / "run"
    words = ["train", "ppo", "spelunk/DoorKey-v0", "--wandb", "caves", "--out", str(out)]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "spelunk[wandb]" in capsys.readouterr().err
    assert not out.exists()


def test_report(capsys, tmp_path):
    for seed in ("0", "1"):
        run(
            capsys, "train", "ppo", "spelunk/DoorKey-v0", "--env.size", "5", "--total-steps", "512",
            "--num-envs", "8", "--agent.num-steps", "16", "--device", "cpu", "--seed", seed,
            "--out", str(tmp_path / "runs" / seed), "--no-video",
        )  # fmt: skip
    page = tmp_path / "page.html"
    found = value(capsys, "report", str(tmp_path / "runs"), "--out", str(page))
    assert found["path"] == str(page)
    (group,) = found["groups"]
    assert (group["agent"], group["seeds"]) == ("ppo", [0, 1])
    assert page.read_text().startswith("<!doctype html>")


def test_solve(capsys):
    found = value(capsys, "solve", "astar", "spelunk/SlidingTile-v0", "--env.size", "2")
    assert found["status"] == "solved"
    assert found["return"] == -found["cost"] == -len(found["plan"])


def test_bench(capsys):
    found = value(
        capsys, "bench", "throughput", "spelunk/DoorKey-v0", "--num-envs", "64", "--threads", "1",
        "--seconds", "0.01",
    )  # fmt: skip
    assert found["threads"] == 1
    assert found["num_envs"] == 64
    assert found["device"] == "cpu"
    assert found["steps_per_second"] > 1000
    assert found["first_step_seconds"] > 0
    assert found["id"] == "spelunk/DoorKey-v0"


def test_play_by_hand_and_by_an_agent(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("turn left\n1\nfly away\n99\nquit\n"))
    out = run(capsys, "play", "spelunk/DoorKey-v0", "--env.size", "5")
    assert "step 2" in out
    assert "'fly away' names no action" in out
    assert "99 is not allowed" in out
    assert "left before the end" in out
    found = value(capsys, "play", "spelunk/TSP-v0", "--agent", "two_opt", "--delay", "0")
    assert found["ended"]
    assert found["steps"] == 19


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["info", "spelunk/Nonesuch-v0"], "there are spelunk/DoorKey-v0"),
        (["eval", "random", "spelunk/DoorKey-v0", "--env.size", "2"], "size must be"),
        (["eval", "nobody", "spelunk/DoorKey-v0"], "neither a run folder nor one of the agents"),
        (["eval", "ppo", "spelunk/DoorKey-v0"], "trained first"),
        (
            ["eval", "random", "spelunk/TicTacToe-v0"],
            "no single face: make it with spelunk.aec_env",
        ),
        (["eval", "random", "spelunk/DoorKey-v0", "--episodes", "1"], "at least 2"),
        (["train", "nobody", "spelunk/DoorKey-v0"], "unknown agent"),
        (["train"], "unknown agent"),
        (["train", "random", "spelunk/DoorKey-v0"], "nothing to train"),
        (["train", "ppo", "spelunk/KnowledgeSearch-v0", "--env.actions", "text"], "no network"),
        (["train", "--resume", "/nonexistent"], "no run folder"),
        (["report", "/nonexistent"], "/nonexistent holds no run"),
        (["report"], "name a run folder"),
        (["solve", "ppo", "spelunk/SlidingTile-v0"], "ppo must be trained first"),
        (["solve", "astar", "spelunk/BernoulliBandit-v0"], "stochastic"),
        (["solve", "two_opt", "spelunk/DoorKey-v0"], "TSP"),
        (["eval", "two_opt", "spelunk/TSP-v0", "--env.file", "/no/such.tsp"], "no/such.tsp"),
        (
            ["eval", "random", "spelunk/DoorKey-v0", "--env.colour", "red"],
            "--env.colour is unknown; accepted are --env.size, --env.observation",
        ),
        (
            ["eval", "random", "spelunk/DoorKey-v0", "--env.horizon", "9", "--env.size", "big"],
            "--env.size must be int | list[int] (default 8); got big",
        ),
        (
            ["train", "ppo", "spelunk/DoorKey-v0", "--agent.wisdom", "3"],
            "--agent.wisdom is unknown; accepted are --agent.",
        ),
        (["train", "ppo", "spelunk/DoorKey-v0", "--agent.gamma"], "must be float"),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert complaint in lines[0]
    assert not list(tmp_path.iterdir()), "a mistake must leave nothing behind"


def test_an_unknown_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["dig"])
    assert stop.value.code == 2


def test_help_does_not_wait_for_heavy_packages():
    code = "import sys, spelunk.agents.cli.main; print(*{'torch', 'ray'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
