"""The subcommands of `spelunk` that show environments; their docstrings are the help texts."""

import dataclasses
import inspect
from pathlib import Path
from typing import Literal

from ...envs import registry as env_registry
from ...envs.reference import reference
from .. import registry
from .base import CommandLine, Json, Positional
from .formats import number, space_words


class EnvironmentCommands(CommandLine):
    """What can be done with an environment: look it up, play it, measure it."""

    def list(self, as_json: Json = False) -> None:
        """List the environments, or with --json their families, faces and reference scores."""
        rows = []
        for row in env_registry.ENTRIES:
            score = reference(row.id)
            rows.append(
                {
                    "id": row.id,
                    "family": row.family,
                    "faces": [*row.faces],
                    "randomness": row.randomness,
                    "reference": dataclasses.asdict(score),
                }
            )
        self._table(
            ("environment", "family", "random policy", "best known", "random is"),
            [
                (r["id"], r["family"], number(r["reference"]["random"]),
                 number(r["reference"]["best"]), r["randomness"])
                for r in rows
            ],
        )  # fmt: skip
        self._table(
            ("agent", "kind", "about"), [(r.name, r.kind, r.about) for r in registry.ENTRIES]
        )
        self._json(as_json, rows)

    def info(self, env_id: Positional[str], as_json: Json = False) -> None:
        """Show an environment's page: what it is, its spaces, arguments and reference scores.

        Args:
            env_id: The environment's id, as `spelunk list` shows it.
        """
        row, kwargs = self._environment(env_id, "vector")
        cls = row.load()
        env = cls(**kwargs)
        arguments = {
            name: None if p.default is inspect.Parameter.empty else p.default
            for name, p in inspect.signature(cls.__init__).parameters.items()
            if name != "self"
        }
        score = reference(env_id, **kwargs)
        self._console.print(f"[bold]{env_id}[/bold]  ({row.family})\n")
        self._console.print(inspect.getdoc(cls), markup=False)
        self._table(("argument", "default"), [(k, repr(v)) for k, v in arguments.items()])
        self._console.print(
            f"observation space  {space_words(env.observation_space)}", markup=False
        )
        self._console.print(f"action space       {space_words(env.action_space)}", markup=False)
        self._console.print(f"random policy      {score.random:.4g}")
        self._console.print(f"best known         {number(score.best)} ({score.source})")
        self._json(
            as_json,
            {
                "id": env_id,
                "family": row.family,
                "faces": [*row.faces],
                "randomness": row.randomness,
                "arguments": arguments,
                "observation_space": space_words(env.observation_space),
                "action_space": space_words(env.action_space),
                "reference": dataclasses.asdict(score),
            },
        )

    def play(
        self,
        env_id: Positional[str],
        agent: str = "human",
        seed: int = 0,
        delay: float = 0.15,
        as_json: Json = False,
    ) -> None:
        """Watch an agent in the terminal, or drive it yourself.

        Args:
            env_id: The environment's id.
            agent: An agent's name, a run folder, or `human` to type the actions yourself.
            seed: Of the episode.
            delay: Seconds between two steps of an agent.
        """
        from .play import Keyboard, play

        _, kwargs = self._environment(env_id)
        human = agent == "human"
        player = Keyboard() if human else self._agent(agent)[0]
        self._json(as_json, play(env_id, kwargs, player, seed, 0.0 if human else delay))

    def world(
        self,
        what: Positional[Literal["build", "inspect"]],
        pattern: str = "chain",
        number: int = 0,
        picture: Path | None = None,
        as_json: Json = False,
    ) -> None:
        """Show a world of KnowledgeSearch: what it holds, or a question and how it is answered.

        Arguments of the world are given as those of the environment: --env.documents 4000.

        Args:
            what: `build` tells how large the world is and what can be asked; `inspect` shows a
                question with the pages that answer it.
            pattern: Of the question, for `inspect`.
            number: Which of the questions of the pattern.
            picture: Where to draw the question's graph, as PNG.
        """
        from . import world

        _, kwargs = self._environment("spelunk/KnowledgeSearch-v0")
        if what == "build":
            figures = world.build(kwargs)
            self._figures(figures)
        else:
            figures = world.inspect(self._console, kwargs, pattern, number, picture)
        self._json(as_json, figures)

    def bench(
        self,
        what: Positional[Literal["throughput"]],
        env_id: Positional[str],
        num_envs: int = 4096,
        threads: int | None = None,
        seconds: float = 2.0,
        as_json: Json = False,
    ) -> None:
        """Measure how many steps a second an environment makes under random actions.

        Args:
            what: What to measure.
            env_id: The environment's id.
            num_envs: Environments side by side.
            threads: Threads of the compiled loop; as many as pay off where not given.
            seconds: How long to measure, in each of five repeats.
        """
        from .bench import throughput

        _, kwargs = self._environment(env_id, "vector")
        figures = throughput(env_id, kwargs, num_envs, threads, seconds)
        self._figures(figures)
        self._json(as_json, figures)
