import base64
import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from spelunk.agents.core import page
from spelunk.agents.core.evaluation import mean_interval
from spelunk.agents.core.extras import MissingPackageError
from spelunk.agents.core.report import write_report
from spelunk.agents.core.run import RunConfig, RunError
from spelunk.agents.core.run_groups import find_runs, group_runs
from spelunk.agents.core.trainer import Task

DOOR, TILE = "spelunk/DoorKey-v0", "spelunk/SlidingTile-v0"


def make(
    folder, *, agent="ppo", env=DOOR, seed=0, score=0.5, steps=1000, done=True, config=None, **more
):
    """A run folder as training leaves it; its mean return goes from 0 to its score in a line."""
    folder.mkdir(parents=True)
    RunConfig(agent, Task(env, steps, 8, {}, seed), {"lr": 0.1, **(config or {})}).write(folder)
    reached = np.linspace(0, steps if done else steps / 2, 5).astype(int).tolist()
    log = [{"env_steps": n, "return_mean": score * n / steps} for n in reached]
    # The first episodes have not ended yet.
    del log[0]["return_mean"]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    if done:
        summary = {
            "return_mean": score,
            "normalized_score": score,
            "steps_per_second": 100.0 + seed,
            "wall_seconds": 10.0,
            **more,
        }
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


class Page(HTMLParser):
    """Reads a page, and complains of tags that do not match."""

    def __init__(self, path):
        super().__init__()
        self.open, self.texts, self.attributes, self.tags = [], [], [], []
        self.feed(path.read_text())
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def values(self, *names):
        return [value for name, value in self.attributes if name in names]

    def has(self, text):
        return any(text in found for found in self.texts)


def report(tmp_path, *folders):
    figures = write_report(folders or [tmp_path / "runs"], tmp_path / "report.html")
    assert json.loads(json.dumps(figures)) == figures
    return figures, Page(tmp_path / "report.html")


def test_runs_are_grouped_by_all_but_their_seeds(tmp_path):
    for seed in (2, 0, 1):
        make(tmp_path / f"runs/a{9 - seed}", seed=seed)
    make(tmp_path / "runs/b", config={"lr": 0.2})
    make(tmp_path / "runs/c", agent="dqn")
    make(tmp_path / "runs/d", env=TILE, steps=77)
    groups = group_runs(find_runs([tmp_path]))
    found = {(g.environment, g.agent): [r.config.task.seed for r in g.runs] for g in groups}
    # How long an environment is learned for does not make it another agent.
    assert found == {
        (DOOR, "dqn"): [0],
        (DOOR, "ppo lr=0.1"): [0, 1, 2],
        (DOOR, "ppo lr=0.2"): [0],
        (TILE, "ppo lr=0.1"): [0],
    }


def test_what_one_environment_is_learned_with_is_not_in_the_name(tmp_path):
    make(tmp_path / "a", config={"lr": 0.3}, steps=50)
    make(tmp_path / "b", env=TILE)
    assert {g.agent for g in group_runs(find_runs([tmp_path]))} == {"ppo"}
    make(tmp_path / "c", env=TILE, steps=99)
    names = {g.agent for g in group_runs(find_runs([tmp_path]))}
    assert names == {"ppo total_steps=50", "ppo total_steps=1000", "ppo total_steps=99"}


def test_figures_of_a_group(tmp_path):
    scores = [0.1, 0.2, 0.6, 0.9]
    for seed, score in enumerate(scores):
        make(tmp_path / f"runs/{seed}", seed=seed, score=score, peak_memory_bytes=2**20 * seed)
    figures, page = report(tmp_path)
    (group,) = figures["groups"]
    assert group["return_mean"] == pytest.approx(0.45)
    assert group["return_interval"] == list(mean_interval(np.array(scores)))
    assert group["normalized_score"] == pytest.approx(0.4)
    low, high = group["normalized_interval"]
    assert 0.1 <= low < 0.4 < high <= 0.9
    assert group["steps_per_second"] == 101.5
    assert group["peak_memory_bytes"] == 3 * 2**20
    assert page.has("0.4 [")
    assert page.has("3 MiB")
    assert not figures["comparisons"]


def test_one_seed_has_no_interval_and_needs_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rliable", None)
    make(tmp_path / "runs/a", score=0.3)
    (group,) = report(tmp_path)[0]["groups"]
    assert (group["normalized_score"], group["normalized_interval"]) == (0.3, None)
    assert (group["return_mean"], group["return_interval"]) == (0.3, None)


def test_several_seeds_without_the_library_name_the_extra(tmp_path, monkeypatch):
    for seed in range(2):
        make(tmp_path / f"runs/{seed}", seed=seed)
    for name in ("rliable", "rliable.metrics", "rliable.library"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"spelunk\[report\]"):
        report(tmp_path)


def test_a_scale_without_a_best_score(tmp_path):
    for seed in range(2):
        make(tmp_path / f"runs/{seed}", seed=seed, normalized_score=None)
    (group,) = report(tmp_path)[0]["groups"]
    assert group["normalized_score"] is None
    assert group["return_mean"] == 0.5


def test_unfinished_runs_are_shown_as_such(tmp_path):
    make(tmp_path / "runs/a", seed=0)
    folder = make(tmp_path / "runs/b", seed=1, done=False)
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"env_steps": 600, "retu')  # in the middle of a line
    figures, page = report(tmp_path)
    (group,) = figures["groups"]
    assert (group["seeds"], group["finished"]) == ([0, 1], 1)
    assert page.has("0, 1 (1 unfinished)")
    assert page.has("unfinished (1,000 steps wanted)")
    assert page.has("Runs: 2, of which 1 unfinished")
    assert page.has("500"), "the steps done so far"
    nothing = make(tmp_path / "other/c", done=False)
    (nothing / "metrics.jsonl").write_text("")
    figures, page = report(tmp_path, nothing)
    assert figures["groups"][0]["return_mean"] is None


def test_the_curve_is_the_mean_of_the_seeds_with_its_interval(tmp_path):
    for seed, (score, steps) in enumerate([(0.2, 1000), (0.4, 1000), (0.9, 1000)]):
        make(tmp_path / f"runs/{seed}", seed=seed, score=score, steps=steps)
    make(tmp_path / "runs/unfinished", seed=3, score=1, done=False)
    (group,) = group_runs(find_runs([tmp_path]))
    axes = Figure().subplots()
    page._draw_group(axes, group, "red", "solid")
    mean, unfinished = axes.lines
    steps, values = np.array(mean.get_data())
    assert (steps[0], steps[-1]) == (250, 1000)
    assert np.allclose(values, 0.5 * steps / 1000)
    band = np.array(axes.collections[0].get_paths()[0].vertices)
    at_end = sorted(set(band[np.isclose(band[:, 0], 1000), 1]))
    low, high = mean_interval(np.array([0.2, 0.4, 0.9]))
    assert np.allclose((at_end[0], at_end[-1]), (low, high))
    assert [*np.array(unfinished.get_data())[0]] == [125, 250, 375, 500]
    assert unfinished.get_linewidth() < mean.get_linewidth()


def test_a_single_seed_is_the_line_alone(tmp_path):
    make(tmp_path / "a")
    axes = Figure().subplots()
    page._draw_group(axes, *group_runs(find_runs([tmp_path])), "red", "solid")
    assert [*np.array(axes.lines[0].get_data())[0]] == [250, 500, 750, 1000]
    assert not axes.collections


@pytest.mark.slow
def test_agents_that_share_environments_are_compared(tmp_path):
    for seed in range(3):
        for env in (DOOR, TILE):
            make(tmp_path / f"runs/p{env}{seed}", env=env, seed=seed, score=0.8 + seed / 100)
            make(tmp_path / f"runs/d{env}{seed}", agent="dqn", env=env, seed=seed, score=0.3)
        make(tmp_path / f"runs/n{seed}", agent="novelty", env=TILE, seed=seed, score=0.8)
    for seed in (3, 4):
        make(tmp_path / f"runs/p{seed}", env=DOOR, seed=seed, score=0.1)
    make(tmp_path / "runs/once", agent="llm", env=DOOR)
    make(tmp_path / "runs/more", agent="novelty", env=TILE, seed=3, score=0.0)
    figures, page = report(tmp_path)
    found = {tuple(c["seeds"]): c for c in figures["comparisons"]}
    # Of five seeds on one environment and three on another, three are compared on both.
    assert found["dqn", "ppo"]["seeds"] == {"dqn": 3, "ppo": 3}
    assert found.keys() == {("dqn", "ppo"), ("dqn", "novelty", "ppo")}
    two = found["dqn", "ppo"]
    assert two["environments"] == [DOOR, TILE]
    assert two["aggregates"]["ppo"]["iqm"]["point"] == pytest.approx(0.81)
    assert two["aggregates"]["dqn"]["optimality_gap"]["point"] == pytest.approx(0.7)
    assert two["improvement"] == [{"x": "dqn", "y": "ppo", "point": 0, "low": 0, "high": 0}]
    at_half = two["thresholds"].index(0.5)
    assert two["profiles"]["ppo"]["point"][at_half] == 1
    assert two["profiles"]["dqn"]["point"][at_half] == 0
    three = found["dqn", "novelty", "ppo"]
    assert three["environments"] == [TILE]
    assert three["seeds"] == {"dqn": 3, "novelty": 4, "ppo": 3}
    assert len(three["improvement"]) == 3
    assert page.tags.count("svg") == 4
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 0


def test_the_page_needs_nothing_but_itself(tmp_path):
    gif = b"GIF89a first"
    folder = make(tmp_path / "runs/<b>bold", seed=0, config={"note": "<script>alert(1)</script>"})
    (folder / "agent.gif").write_bytes(gif)
    other = make(tmp_path / "runs/second", seed=1, config={"note": "<script>alert(1)</script>"})
    (other / "agent.gif").write_bytes(b"GIF89a second")
    make(tmp_path / "runs/third", seed=0, config={"note": '" onload="alert(2)'})
    _, page = report(tmp_path)
    assert not {"script", "link", "iframe", "b"} & {*page.tags}
    assert page.has("ppo note=<script>alert(1)</script>")
    assert page.has("runs/<b>bold")
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.values("src") == [f"data:image/gif;base64,{base64.b64encode(gif).decode()}"]
    assert all(value.startswith("#") for value in page.values("href", "xlink:href"))
    text = (tmp_path / "report.html").read_text()
    assert "@import" not in text
    assert all(part.startswith("#") for part in text.split("url(")[1:])
    assert "viewport" in page.values("name")
    assert "prefers-color-scheme: dark" in text


def test_the_same_runs_make_the_same_page(tmp_path):
    for seed in range(2):
        make(tmp_path / f"runs/{seed}", seed=seed, score=seed / 2)
    report(tmp_path)
    first = (tmp_path / "report.html").read_bytes()
    report(tmp_path, tmp_path / "runs", tmp_path / "runs" / ".." / "runs" / "0")
    assert (tmp_path / "report.html").read_bytes() == first


def test_only_run_folders_count(tmp_path):
    make(tmp_path / "deep/down/run")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"hidden_size": 64}')
    assert [run.folder for run in find_runs([tmp_path])] == [tmp_path / "deep/down/run"]
    with pytest.raises(RunError, match="model holds no run"):
        find_runs([tmp_path / "deep", tmp_path / "model"])
    with pytest.raises(RunError, match="nowhere holds no run"):
        find_runs([tmp_path / "nowhere"])
    with pytest.raises(RunError, match="name a run folder"):
        find_runs([])
    with pytest.raises(RunError, match="is a folder"):
        write_report([tmp_path], tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("summary.json", "{"), ("metrics.jsonl", "{}\n"), ("metrics.jsonl", "oh\n")],
)
def test_damaged_runs(tmp_path, name, text):
    folder = make(tmp_path / "run")
    (folder / name).write_text(text)
    with pytest.raises(RunError, match="damaged"):
        find_runs([folder])
