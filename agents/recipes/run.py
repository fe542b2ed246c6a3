"""Running recipes: every arm with every seed in a run folder of its own, and what came out.

Arms of different recipes that are the same training share a folder, and are run once.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from ...envs.kernel.answer import final_answer
from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from ...envs.kernel.files import write_json
from ..core.helper_process import begin_helper
from ..core.run import RunConfig, go_on, load_agent
from ..core.trainer import Task
from ..llm.agent import LanguageModelAgent
from ..llm.measuring.answers import TEST_SEEDS, ask
from ..llm.measuring.entropy_law import fit_entropy_law, forecast_reward
from ..llm.measuring.measure import Samples, answer_entropy, maj_at_k, pass_at_k
from ..llm.training.trainer import Config
from .beds import Bed, bed
from .picture import draw_curves
from .recipe import Figures, Recipe, Table

SCALES = ("smoke", "laptop", "gpu")
#: Problems of a test, and samples of each.
_PROBLEMS = {"smoke": 16, "laptop": 256, "gpu": 1000}
_SAMPLES = 16
#: Counts of what a training has spent, which grow from update to update.
_SPENT = ("env_steps", "tokens_generated", "tokens_trained", "flops")
#: Problems whose answers are written down.
_QUOTED = 20
#: The share of the updates at each end that entropies are means of.
_END = 0.1
#: How many means the law of entropy and reward is fitted to.
_LAW_POINTS = 20

#: An arm and a seed.
_Job = tuple[str, int]


def run(
    recipe: Recipe,
    scale: str,
    seeds: int,
    folder: Path,
    workers: int = 1,
    tell: Any = lambda words: None,
    known: Mapping[str, Figures] | None = None,
) -> dict[str, Any]:
    """Run all arms of a recipe, and judge its gate.

    What was finished before is not run again, and what was interrupted goes on.

    Args:
        recipe: what to run.
        scale: one of `SCALES`.
        seeds: how many of each arm, at least 2.
        folder: of all recipes; gets `NAME-SCALE/recipe.json` and `curves.png`, and a run folder for
            each arm and seed below `arms`.
        workers: how many train at a time, a process each.
        tell: is told what has been finished.
        known: what trainings have come to that were run elsewhere, by `folder_name`.

    Returns:
        `name`, `gate`, `passed`, `measured`, `baseline`, `interval` (those three of the first
        condition), `seeds`, `scale`, `checks`, `table`, and `trainings`, the names of those that
        the table's rows are of.

    Raises:
        InvalidArgumentError: there is no such scale, or there are too few seeds.
        UnsupportedFaceError: the scale wants a GPU, and torch finds none.
    """
    if scale not in SCALES:
        raise InvalidArgumentError(f"scale must be one of {SCALES}; got {scale!r}")
    if seeds < 2:
        raise InvalidArgumentError(f"seeds must be at least 2; got {seeds}")
    if scale == "gpu" and not torch.cuda.is_available():
        raise UnsupportedFaceError('the scale "gpu" wants one, and torch finds none; use "laptop"')
    runs = {
        (arm, seed): arm_run(recipe, arm, seed, scale)
        for seed in range(seeds)
        for arm in recipe.arms
    }
    names, known, on = {job: folder_name(runs[job]) for job in runs}, known or {}, bed(recipe.bed)
    folders = {job: folder / "arms" / name for job, name in names.items()}
    found = {job: known[name] for job, name in names.items() if name in known}
    missing = {job: run for job, run in runs.items() if job not in found}
    found |= _run_arms(missing, folders, on, scale, workers, tell)

    def by_arm(of_jobs: Mapping[_Job, Any]) -> dict[str, list[Any]]:
        return {arm: [of_jobs[arm, seed] for seed in range(seeds)] for arm in recipe.arms}

    table = by_arm(found)
    summary = {
        **verdict(recipe, table),
        "seeds": seeds,
        "scale": scale,
        "table": table,
        "trainings": by_arm(names),
    }
    out = folder / f"{recipe.name}-{scale}"
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "recipe.json", summary)
    draw_curves(by_arm(folders), out / "curves.png")
    return summary


def _run_arms(
    runs: Mapping[_Job, RunConfig],
    folders: Mapping[_Job, Path],
    on: Bed,
    scale: str,
    workers: int,
    tell: Any,
) -> dict[_Job, Figures]:
    """`run_arm` for each of some trainings, in processes of their own."""
    found = dict[_Job, Figures]()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), begin_helper)
    try:
        futures = {pool.submit(run_arm, runs[job], on, scale, folders[job]): job for job in runs}
        for future in as_completed(futures):
            arm, seed = job = futures[future]
            found[job] = future.result()
            tell(f"{arm}, seed {seed}: " + told(found[job]))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def verdict(recipe: Recipe, table: Table) -> dict[str, Any]:
    """What has become of a recipe's gate; see `run`."""
    checks = recipe.judge(table)
    return {
        "name": recipe.name,
        "gate": [check.words for check in checks],
        "passed": all(check.passed for check in checks),
        "measured": checks[0].measured,
        "baseline": checks[0].baseline,
        "interval": checks[0].interval,
        "checks": [check._asdict() for check in checks],
    }


def arm_run(recipe: Recipe, arm: str, seed: int, scale: str) -> RunConfig:
    """The training of an arm with a seed."""
    on = bed(recipe.bed)
    updates = recipe.updates.get(scale, on.updates[scale])
    kwargs = {**on.env_kwargs, **recipe.env_kwargs.get(arm, {})}
    lanes = recipe.lanes.get(arm, on.lanes)
    device = "cuda" if scale == "gpu" else "cpu"
    task = Task(on.env_id, updates * on.lanes * on.turns, lanes, kwargs, seed, device)
    config = Config(path=str(on.start), sft_updates=0, **{**on.config, **recipe.arms[arm]})
    return RunConfig("llm", task, asdict(config))


def folder_name(run: RunConfig) -> str:
    """The name of a training's folder: the same for the same training, wherever it stands."""
    usual = asdict(Config())
    config = {k: v for k, v in run.config.items() if v != usual[k] and k != "path"}
    known = json.dumps([run.agent, asdict(run.task), config], sort_keys=True)
    digest = blake2b(known.encode(), digest_size=6).hexdigest()
    return f"{Path(run.config['path']).name}-{digest}-s{run.task.seed}"


def run_arm(run: RunConfig, on: Bed, scale: str, folder: Path) -> Figures:
    """Train and measure, unless that was done before.

    Raises:
        KeyboardInterrupt: the training was told to stop; called again, it goes on.
    """
    torch.set_num_threads(1)
    kept, log = folder / "figures.json", folder / "metrics.jsonl"
    if kept.exists():
        return json.loads(kept.read_text()) | logged(log)
    begun = time.process_time()
    if "interrupted" in go_on(run, folder, progress=False, evaluation_episodes=2):
        raise KeyboardInterrupt
    seconds = time.process_time() - begun
    agent, _ = load_agent(folder)
    assert isinstance(agent, LanguageModelAgent)
    asked = answers(agent, on, scale)
    started = json.loads((on.start / "start.json").read_text())
    figures = {
        **measure(asked),
        **measure_hard(asked, started.get("right", [])),
        **{f"start_{name}": value for name, value in started["figures"].items()},
        "seconds": seconds,
    }
    (folder / "samples.txt").write_text(quoted(asked, on))
    write_json(kept, figures)
    return figures | logged(log)


def answers(agent: LanguageModelAgent, on: Bed, scale: str) -> Samples:
    """How an agent answers the test problems of a bed, at a temperature of 1."""
    agent.temperature = 1.0
    kwargs = {**on.env_kwargs, **on.test_kwargs}
    return ask(agent, on.env_id, kwargs, problems=_PROBLEMS[scale], samples=_SAMPLES)


def quoted(asked: Samples, on: Bed) -> str:
    """The answers to the first few problems, a line each, the right ones marked."""
    env: Any = gymnasium.make(on.env_id, **{**on.env_kwargs, **on.test_kwargs})
    lines = []
    for problem, row in enumerate(asked.answers[:_QUOTED]):
        env.reset(seed=TEST_SEEDS + problem)
        lines.append(env.unwrapped.describe())
        right = asked.correct[problem].tolist()
        lines += [f"  {'+' if ok else '-'} {said}" for said, ok in zip(row, right, strict=True)]
    env.close()
    return "\n".join(lines) + "\n"


def measure(asked: Samples) -> dict[str, float]:
    """Shares of right answers, and how much answers differ, whatever was thought before them."""
    right = asked.correct.sum(1)
    asked = Samples(
        [[final_answer(str(said)) for said in row] for row in asked.answers], asked.correct
    )
    return {
        **{f"pass_{k}": float(pass_at_k(_SAMPLES, right, k).mean()) for k in (1, 4, _SAMPLES)},
        f"maj_{_SAMPLES}": float(maj_at_k(asked, _SAMPLES).mean()),
        "answer_entropy": float(answer_entropy(asked.answers).mean()),
    }


def measure_hard(asked: Samples, right: Sequence[int]) -> dict[str, float]:
    """The share of right answers to problems that the starting model never solved.

    Args:
        asked: answers to the test problems.
        right: how often it solved each of the first ones; nothing is measured where none is hard.
    """
    hard = [i for i, count in enumerate(right[: len(asked.correct)]) if not count]
    return {"hard_pass_1": float(asked.correct[hard].mean())} if hard else {}


def logged(log: Path) -> dict[str, float]:
    """What the log of a training tells: the policy's entropy (nats a token), its law, and costs.

    What was spent in all is left out where it was not counted from the beginning.
    `law_*` are of R = −a · exp(H) + b over the training, and of what its fit to the first 40%
    foretold of the end. It is fitted to means over twentieths of the training, as an update's own
    return is of few problems; left out of trainings with too few updates for that.
    """
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if "sampled_entropy" in row]
    values = np.array([row["sampled_entropy"] for row in rows])
    returns = np.array([row["return_mean"] for row in rows])
    end = max(1, round(_END * len(values)))
    start, last = float(values[:end].mean()), float(values[-end:].mean())
    figures = {
        "entropy_start": start,
        "entropy_end": last,
        "entropy_kept": last / max(start, 1e-9),
        "entropy_variance": float(values.var()),
        "tokens": sum(row["tokens"] for row in rows),
        **{name: rows[-1][name] for name in _SPENT if all(name in row for row in rows)},
    }
    if len(rows) < 2 * _LAW_POINTS:
        return figures
    spent, gained = (
        [part.mean() for part in np.array_split(x, _LAW_POINTS)] for x in (values, returns)
    )
    law, forecast = fit_entropy_law(spent, gained), forecast_reward(spent, gained)
    return figures | {
        "law_a": law.a,
        "law_b": law.b,
        "law_r_squared": law.r_squared,
        "law_predicted": forecast.predicted,
        "law_actual": forecast.actual,
        "law_error": abs(forecast.error),
    }


def told(figures: Mapping[str, float], names: Sequence[str] = ("pass_1", "pass_16")) -> str:
    """Some figures in words."""
    return ", ".join(f"{name} {figures[name]:.3f}" for name in (*names, "entropy_kept"))
