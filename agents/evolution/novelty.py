"""Novelty search: evolution towards behaviour that has not been seen, whatever the reward says.

Lehman & Stanley 2011, "Abandoning objectives: evolution through the search for novelty alone". Here
it evolves the weights of small perceptrons of fixed shape by truncation selection and Gaussian
mutation, as in Such et al. 2017, "Deep neuroevolution"; each generation sends a random sample of
its behaviours to the archive (Gomes, Mariano & Christensen 2015, "Devising effective novelty
search algorithms"). The same loop with another score is the search for fitness.
"""

import functools
import json
import logging
import os
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces

from ...envs.kernel import InvalidArgumentError, UnsupportedFaceError
from ..core.agent import Agent
from ..core.extras import require
from ..core.trainer import Arrays, Task, Trainer
from .archive import Archive, novelty

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Config:
    """Hyperparameters of novelty search. The population has one individual an environment."""

    objective: Literal["novelty", "fitness"] = "novelty"
    """What selection looks at: the novelty of an individual's behaviour, or its return."""
    descriptor: tuple[str, ...] = ("x", "y")
    """The metrics of the environment whose values at the end of the episode are the behaviour."""
    neighbours: int = 15
    """How many nearest behaviours novelty is measured against."""
    archived: int = 6
    """Behaviours of each generation, drawn at random, that enter the archive."""
    selected: float = 0.2
    """The part of the population that has offspring."""
    elites: int = 1
    """Individuals of the highest score that live on unchanged."""
    mutation: float = 0.5
    """Standard deviation of the Gaussian noise added to every weight of a child."""
    hidden: tuple[int, ...] = (16,)
    """Widths of the policies' hidden layers."""
    workers: int = 0
    """Ray workers that share the population out and play it, here or on the cluster that
    RAY_ADDRESS names; 0 plays it in this process. Scores are the same."""


class Perceptrons:
    """Tanh perceptrons of one shape, each a row of weights; evaluates many at once.

    Args:
        observation_space: a `Box`, whose numbers are best about as large as 1.
        action_space: a bounded `Box`, which the outputs are squashed into, or `Discrete`, where
            the highest output of a legal action wins.
        hidden: widths of the hidden layers.

    Raises:
        UnsupportedFaceError: the spaces are of other kinds.
    """

    def __init__(
        self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any],
        hidden: tuple[int, ...],
    ):  # fmt: skip
        if not isinstance(observation_space, spaces.Box):
            raise UnsupportedFaceError(f"no perceptron reads observations of {observation_space}")
        if isinstance(action_space, spaces.Discrete):
            outputs = int(action_space.n)
        elif isinstance(action_space, spaces.Box) and action_space.is_bounded():
            outputs = int(np.prod(action_space.shape))
        else:
            raise UnsupportedFaceError(f"no perceptron acts in {action_space}")
        self.action_space = action_space
        self.widths = (int(np.prod(observation_space.shape)), *hidden, outputs)
        #: The number of weights and biases of one perceptron.
        self.size = sum((a + 1) * b for a, b in zip(self.widths, self.widths[1:], strict=False))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Random perceptrons, (n, size): normal weights that keep the scale of activations."""
        weights = np.zeros((n, self.size), np.float32)
        for weight, _ in self._layers(weights):
            weight[...] = rng.standard_normal(weight.shape) / np.sqrt(weight.shape[1])
        return weights

    def act(self, weights: Floats, observations: np.ndarray[Any, Any], mask: Any) -> Any:
        """Actions of n perceptrons on an observation each, or of one on all.

        Args:
            weights: (n, size), or (1, size).
            observations: (n, …).
            mask: (n, actions), nonzero where legal, or None.
        """
        values = observations.reshape(len(observations), 1, -1).astype(np.float32)
        for k, (weight, bias) in enumerate(self._layers(weights)):
            values = (np.tanh(values) if k else values) @ weight + bias
        values = values[:, 0]
        if isinstance(self.action_space, spaces.Discrete):
            return (values if mask is None else np.where(mask, values, -np.inf)).argmax(axis=1)
        low, high = self.action_space.low, self.action_space.high
        share = (np.tanh(values) + 1) / 2
        return low + share.reshape(-1, *low.shape) * (high - low)

    def _layers(self, weights: Floats) -> list[tuple[Floats, Floats]]:
        """Views of each layer's weights (n, inputs, outputs) and biases (n, 1, outputs)."""
        layers, begin = [], 0
        for inputs, outputs in zip(self.widths, self.widths[1:], strict=False):
            end = begin + inputs * outputs
            weight = weights[:, begin:end].reshape(-1, inputs, outputs)
            layers.append((weight, weights[:, None, end : end + outputs]))
            begin = end + outputs
        return layers


class PerceptronAgent(Agent):
    """Acts by one perceptron.

    Args:
        perceptrons: its shape.
        weights: (size,).
    """

    def __init__(self, perceptrons: Perceptrons, weights: Floats):
        self.perceptrons, self.weights = perceptrons, weights

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        return self.perceptrons.act(self.weights[None], observations, infos.get("action_mask"))


class NoveltySearch(Trainer):
    """Novelty search, or fitness search, a generation a step; see the module.

    The agent it gives is the individual with the highest return so far.

    Raises:
        InvalidArgumentError: the configuration is out of range, or names metrics that the
            environment does not have.
        UnsupportedFaceError: no perceptron fits the environment's spaces.
    """

    default_num_envs = 128

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.env: Any = gymnasium.make_vec(
            task.env_id, num_envs=task.num_envs, autoreset_mode="SAME_STEP", **task.env_kwargs
        )
        _check(config, self.env.definition.metrics, task.num_envs)
        self.rng = np.random.default_rng(task.seed)
        self.perceptrons = Perceptrons(
            self.env.single_observation_space, self.env.single_action_space, config.hidden
        )
        self.population: Floats = self.perceptrons.draw(self.rng, task.num_envs)
        self.champion, self.champion_return = self.population[0].copy(), -np.inf
        self.archive = Archive({"behaviour": (np.float64, (len(config.descriptor),))})
        self._generation = 0
        self._remote = _remote_play() if config.workers else None

    def step(self) -> dict[str, float]:
        config = self.config
        returns, lengths, behaviours = self._play()
        found = novelty(behaviours, self.archive["behaviour"], config.neighbours)
        best = int(returns.argmax())
        if returns[best] > self.champion_return:
            self.champion, self.champion_return = self.population[best].copy(), float(returns[best])
        chosen = self.rng.choice(len(behaviours), config.archived, replace=False)
        self.archive.append(behaviour=behaviours[chosen])
        self._breed(found if config.objective == "novelty" else returns)
        self.env_steps += int(lengths.sum())
        return {
            "return_mean": float(returns.mean()),
            "length_mean": float(lengths.mean()),
            "champion_return": self.champion_return,
            "novelty_mean": float(found.mean()),
            "archive_size": float(len(self.archive)),
        }

    def _play(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns (n,), lengths (n,) and behaviours (n, d) of an episode of each individual."""
        task, config, n = self.task, self.config, self.task.num_envs
        # Each generation has seeds of its own, whoever plays which part of it.
        first = task.seed * 2**20 + self._generation * n % 2**20
        self._generation += 1
        if self._remote is None:
            return play(self.env, self.perceptrons, self.population, config.descriptor, first)
        ray, remote = self._remote
        parts = np.array_split(np.arange(n), min(config.workers, n))
        calls = [
            remote.remote(
                task.env_id, json.dumps(task.env_kwargs), config.hidden, config.descriptor,
                self.population[part], first + int(part[0]),
            )
            for part in parts
        ]  # fmt: skip
        returns, lengths, behaviours = zip(*ray.get(calls), strict=True)
        return np.concatenate(returns), np.concatenate(lengths), np.concatenate(behaviours)

    def _breed(self, scores: np.ndarray) -> None:
        """Replace the population by its elites and by mutated children of those selected."""
        config, n = self.config, self.task.num_envs
        order = np.argsort(-scores, kind="stable")
        parents = order[: max(1, round(config.selected * n))]
        children = self.population[self.rng.choice(parents, n - config.elites)]
        children += np.float32(config.mutation) * self.rng.standard_normal(
            children.shape, np.float32
        )
        self.population = np.concatenate((self.population[order[: config.elites]], children))

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = {
            "population": self.population,
            "champion": self.champion,
            "champion_return": np.array([self.champion_return]),
            **self.archive.arrays(),
        }
        counters = {"env_steps": self.env_steps, "generation": self._generation}
        return arrays, {**counters, "rng": self.rng.bit_generator.state}

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        self.population = arrays["population"].copy()
        self.champion = arrays["champion"].copy()
        self.champion_return = float(arrays["champion_return"][0])
        self.archive.load(arrays)
        self.env_steps, self._generation = meta["env_steps"], meta["generation"]
        self.rng.bit_generator.state = meta["rng"]

    def agent(self) -> PerceptronAgent:
        return PerceptronAgent(self.perceptrons, self.champion)


def play(
    env: Any, perceptrons: Perceptrons, population: Floats, descriptor: tuple[str, ...], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One episode of each individual, in a lane of its own.

    Args:
        env: a same-step batch of as many lanes as there are individuals.
        perceptrons: the shape of all.
        population: (n, size) their weights.
        descriptor: the metrics that make a behaviour.
        seed: of the first lane; each next has the next seed.

    Returns:
        Returns (n,), lengths (n,) and behaviours (n, d).
    """
    n = len(population)
    returns, lengths = np.zeros(n), np.zeros(n, np.int64)
    behaviours, running = np.zeros((n, len(descriptor))), np.ones(n, bool)
    observations, infos = env.reset(seed=seed)
    while running.any():
        actions = perceptrons.act(population, observations, infos.get("action_mask"))
        observations, _, terminated, truncated, infos = env.step(actions)
        ended = running & (terminated | truncated)
        if ended.any():
            returns[ended] = infos["episode"]["r"][ended]
            lengths[ended] = infos["episode"]["l"][ended]
            for d, name in enumerate(descriptor):
                behaviours[ended, d] = infos["final_info"][name][ended]
            running &= ~ended
    return returns, lengths, behaviours


def _remote_play() -> tuple[Any, Any]:
    """Ray, and `_play_part` as a task of it, which is repeated where a worker dies."""
    ray = require("ray", "ray")
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "local")
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    return ray, ray.remote(_play_part).options(max_retries=3)


def _play_part(
    env_id: str, env_kwargs: str, hidden: tuple[int, ...], descriptor: tuple[str, ...],
    population: Floats, seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """A worker's part of `play`."""
    env = _batch(env_id, env_kwargs, len(population))
    spaces = env.single_observation_space, env.single_action_space
    return play(env, Perceptrons(*spaces, hidden), population, descriptor, seed)


@functools.cache
def _batch(env_id: str, env_kwargs: str, num_envs: int) -> Any:
    """A worker's batch, made once."""
    return gymnasium.make_vec(
        env_id, num_envs=num_envs, autoreset_mode="SAME_STEP", **json.loads(env_kwargs)
    )


def _check(config: Config, metrics: tuple[str, ...], population: int) -> None:
    unknown = set(config.descriptor) - set(metrics)
    if unknown or not config.descriptor:
        raise InvalidArgumentError(
            f"descriptor must name metrics of the environment, which has {list(metrics)}; "
            f"got {list(config.descriptor)}"
        )
    if config.objective not in ("novelty", "fitness"):
        raise InvalidArgumentError(
            f'objective must be "novelty" or "fitness"; got {config.objective!r}'
        )
    if config.workers < 0:
        raise InvalidArgumentError(f"workers must not be negative; got {config.workers}")
    if config.neighbours < 1 or not 0 < config.selected <= 1 or config.mutation < 0:
        raise InvalidArgumentError(
            "neighbours must be positive, selected in (0, 1] and mutation not negative; got "
            f"{config.neighbours}, {config.selected} and {config.mutation}"
        )
    if not 0 <= config.archived <= population or not 0 <= config.elites < population:
        raise InvalidArgumentError(
            f"archived must be at most, and elites less than, the population of {population}; got "
            f"{config.archived} and {config.elites}"
        )
