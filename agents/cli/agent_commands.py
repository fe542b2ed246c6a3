"""The subcommands of `spelunk` that run agents; their docstrings are the help texts."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ...envs.kernel.errors import InvalidArgumentError, UnsupportedFaceError
from .base import CommandLine, Json, Positional
from .overrides import read_dataclass
from .sweep_options import SweepOptions

Device = Literal["cpu", "cuda", "auto"]
Sweep = Annotated[SweepOptions, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="sweep")]


class AgentCommands(CommandLine):
    """What can be done with an agent: train it, evaluate it, compare it."""

    def train(
        self,
        agent: Positional[str] = "",
        env_id: Positional[str] = "",
        total_steps: int = 1_000_000,
        num_envs: int | None = None,
        seed: int = 0,
        device: Device = "auto",
        out: Path | None = None,
        resume: Path | None = None,
        video: bool = True,
        wandb: str | None = None,
        as_json: Json = False,
    ) -> None:
        """Train an agent into a run folder: log, checkpoint, learning curve and summary.

        Args:
            agent: The agent's name, as `spelunk list` shows it.
            env_id: The environment's id.
            total_steps: Environment steps to train for.
            num_envs: Environments side by side; as many as suit the agent where not given.
            seed: Of everything random.
            device: Where networks are trained; `auto` takes a GPU where there is one.
            out: The run folder; runs/AGENT-ENVIRONMENT-sSEED where not given.
            resume: A run folder to go on with; all else is read from it.
            video: Record three episodes of the trained agent, as agent.gif.
            wandb: A project on Weights & Biases to log to as well.
        """
        from ..core.run import RunConfig, train
        from ..core.trainer import Task

        if resume is not None:
            run, out = RunConfig.read(resume), resume
        else:
            row = self._trained(agent)
            env_row, kwargs = self._environment(env_id, "vector")
            lanes = num_envs or row.load().default_num_envs
            task = Task(env_id, total_steps, lanes, kwargs, seed, _device(device))
            config = read_dataclass(row.config_class(), self._agent_arguments, "agent")
            run = RunConfig(agent, task, dataclasses.asdict(config))
            out = out or Path("runs") / f"{agent}-{env_row.name}-s{seed}"
        summary = train(run, out, resume=resume is not None, wandb=wandb)
        if not summary:  # Another process of torchrun's tells of the run.
            return
        if video and not summary.get("interrupted"):
            self._record(out)
        self._figures(summary)
        if summary.get("interrupted"):
            self._console.print(f"interrupted; go on with: spelunk train --resume {out}")
        else:
            self._console.print(f"written to {out}/")
        self._json(as_json, summary)
        if summary.get("interrupted"):
            sys.exit(130)

    def sweep(
        self,
        agent: Positional[str],
        env_id: Positional[str],
        options: Sweep,
        as_json: Json = False,
    ) -> None:
        """Train every combination of the values listed after each --agent.NAME, by Ray.

        A word is one value; that of a tuple is written 64,64. Started again, a sweep goes on with
        the trials that are not finished.

        Args:
            agent: The agent's name, as `spelunk list` shows it.
            env_id: The environment's id.
        """
        from .sweep import plan, ranking_table, sweep

        row, (_, kwargs) = self._trained(agent), self._environment(env_id, "vector")
        trials = plan(row, env_id, kwargs, self._agent_arguments, options)
        found = sweep(trials, options)
        self._table(*ranking_table(found))
        self._console.print(f"written to {trials[0].folder.parent}/")
        self._json(as_json, found)
        if any(trial["error"] for trial in found["trials"]):
            sys.exit(1)

    def report(
        self,
        runs: Positional[tuple[Path, ...]],
        out: Path = Path("report.html"),
        as_json: Json = False,
    ) -> None:
        """Compare runs on one page: curves, scores, profiles, hyperparameters, episodes.

        Args:
            runs: Run folders, or folders with run folders in them.
            out: The page, in HTML.
        """
        from ..core.report import write_report
        from .report import group_table

        figures = write_report(runs, out)
        self._table(*group_table(figures))
        self._console.print(f"written to {out}")
        self._json(as_json, figures)

    def eval(
        self,
        agent: Positional[str],
        env_id: Positional[str] = "",
        episodes: int = 256,
        seed: int = 0,
        deterministic: bool = False,
        kept: Path | None = None,
        as_json: Json = False,
    ) -> None:
        """Evaluate a run folder, or an agent that needs no training, on fresh seeds.

        Args:
            agent: A run folder, or an agent's name.
            env_id: The environment's id; that of the training where a run folder is given alone.
            episodes: How many episodes to play.
            seed: Evaluations with different seeds share no episode.
            deterministic: Whether a stochastic policy takes its most probable actions.
            kept: A file to which each episode is added as it ends. Started again, an evaluation
                goes on with the episodes that it lacks.
        """
        from ..core.evaluation import evaluate
        from ..core.run import versions

        if episodes < 2:
            raise InvalidArgumentError(f"episodes must be at least 2; got {episodes}")
        player, run = self._agent(agent)
        player.deterministic |= deterministic
        if run is not None and not env_id:
            env_id, kwargs = run.task.env_id, run.task.env_kwargs
        else:
            _, kwargs = self._environment(env_id)
        start = time.perf_counter()
        asked = {"episodes": episodes, "seed": seed, "progress": True, "kept": kept}
        score = evaluate(player, env_id, **asked, **kwargs)
        seconds = time.perf_counter() - start
        summary = {
            "agent": run.agent if run else agent,
            "env_id": env_id,
            "env_kwargs": kwargs,
            "seed": seed,
            "env_steps": int(score.lengths.sum()),
            "steps_per_second": float(score.lengths.sum() / seconds),
            "wall_seconds": seconds,
            **score.summary(),
            "versions": versions(),
        }
        self._figures(summary)
        self._json(as_json, summary)

    def solve(
        self,
        planner: Positional[str],
        env_id: Positional[str],
        seed: int = 0,
        as_json: Json = False,
    ) -> None:
        """Solve one instance with a planner and print the plan.

        Args:
            planner: A planner's name, as `spelunk list` shows it, with its own arguments as
                --agent.NAME VALUE, or the folder of a run that has learned to search.
            env_id: The environment's id.
            seed: Of the instance.
        """
        from ..planning.plan_agent import PlanAgent
        from .solve import solve

        agent, _ = self._agent(planner)
        if not isinstance(agent, PlanAgent):
            raise InvalidArgumentError(f"{planner} does not plan")
        _, kwargs = self._environment(env_id)
        solution = solve(agent, env_id, kwargs, seed)
        self._figures({k: v for k, v in solution.items() if k != "plan"})
        for move, words in enumerate(solution["plan"], 1):
            self._console.print(f"{move:4d}  {words}", markup=False)
        self._json(as_json, solution)

    def regret(
        self,
        agent: Positional[str],
        env_id: Positional[str],
        horizon: int = 10_000,
        runs: int = 1_000,
        seed: int = 0,
        plot: Path | None = None,
        as_json: Json = False,
    ) -> None:
        """Play many runs of a bandit algorithm, and tell how much it regrets.

        Args:
            agent: An algorithm's name, as `spelunk list` shows it, with its own arguments as
                --agent.NAME VALUE, or a run folder.
            env_id: The id of a bandit.
            horizon: Rounds of a run.
            runs: How many runs, each with its own seed.
            seed: Of the first run.
            plot: Where to draw the regret over time, as PNG or SVG.
        """
        from ..bandit.metrics import draw_regret, summarize
        from ..bandit.simulation import simulate

        if runs < 2:
            raise InvalidArgumentError(f"runs must be at least 2; got {runs}")
        player, _ = self._agent(agent)
        _, kwargs = self._environment(env_id)
        played = simulate(
            player, env_id, horizon=horizon, runs=runs, seed=seed, progress=True, **kwargs
        )
        figures = {
            "agent": agent,
            "env_id": env_id,
            "env_kwargs": kwargs,
            "horizon": horizon,
            "runs": runs,
            "seed": seed,
            **summarize(played),
        }
        self._figures(figures)
        if plot is not None:
            draw_regret({agent: played}, plot)
            self._console.print(f"drawn in {plot}")
        self._json(as_json, figures)

    def heuristic(
        self, name: Positional[str], env_id: Positional[str], as_json: Json = False
    ) -> None:
        """Make the tables of a heuristic beforehand; those that take long are kept for later.

        Args:
            name: The heuristic's name; a wrong one is answered with those there are.
            env_id: The environment's id.
        """
        from ..planning.heuristics import build_heuristic

        _, kwargs = self._environment(env_id)
        figures = build_heuristic(name, env_id, kwargs)
        self._figures(figures)
        self._json(as_json, figures)

    def recipe(
        self,
        what: Positional[Literal["list", "show", "run", "start"]],
        name: Positional[str] = "",
        scale: Literal["smoke", "laptop", "gpu"] = "laptop",
        seeds: int = 5,
        workers: int = 1,
        out: Path | None = None,
        as_json: Json = False,
    ) -> None:
        """Run a published system on this suite: arms, seeds, and a gate set beforehand.

        Args:
            what: `list` names the recipes; `show` tells what one is made of; `run` trains all its
                arms, goes on where it was interrupted, and judges its gate; `start` makes the model
                that all recipes on a bed start from.
            name: The recipe; for `start` the bed.
            scale: `smoke` tries whether it runs, `laptop` takes minutes an arm, `gpu` wants one.
            seeds: How many of each arm.
            workers: How many train at a time.
            out: Where results go; runs/recipes, or for `start` the package's own assets, where not
                given. Arms of several recipes that are the same are run once.
        """
        from ..recipes import beds, registry
        from .recipe import checks_table, described, show

        if what == "list":
            rows = [registry.recipe(known) for known in registry.MODULES]
            self._table(("recipe", "bed", "paper"), [(r.name, r.bed, r.paper) for r in rows])
            self._json(as_json, [described(row) for row in rows])
        elif what == "show":
            show(self._console, registry.recipe(name))
            self._json(as_json, described(registry.recipe(name)))
        elif what == "run":
            from ..recipes.run import run

            folder, chosen = out or Path("runs") / "recipes", registry.recipe(name)
            found = run(chosen, scale, seeds, folder, workers, self._console.print)
            self._table(*checks_table(found["checks"]))
            self._console.print(f"written to {folder / f'{name}-{scale}'}/")
            told = ("name", "gate", "passed", "measured", "baseline", "interval", "seeds")
            self._json(as_json, {key: found[key] for key in told})
        else:
            from ..recipes.start import make_start

            made = make_start(beds.bed(name), out or beds.bed(name).start, 0, self._console.print)
            self._figures(made["figures"])
            self._json(as_json, made)


def _device(device: Device) -> str:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UnsupportedFaceError("device cuda: torch finds no GPU here; use cpu or auto")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
