"""Monte Carlo tree search over the model face: for games, chance and puzzles."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from ...envs.kernel import InvalidArgumentError, KernelVectorEnv, Model, UnsupportedFaceError
from ...envs.kernel.threads import threads_for
from ..core.agent import Agent
from .problem import States
from .search import UNLIMITED, Limits, Watch
from .tree_loops import tree_module
from .trees import EDGE, Rules, Trees, Work, bytes_of_node, make_spread, make_trees, make_work

Array = np.ndarray[Any, Any]

#: From (n,) states to what a network thinks of them: (n, actions) priors, not negative, of which
#: those of legal actions count; and (n,) values, of a game those of the player to move.
Evaluate = Callable[[States], tuple[Array, Array]]

_TICK = 0.05  # seconds between two looks at the clock


@dataclass(frozen=True)
class TreeResult:
    """What the searches from n states came to. A value is that of the player to move there.

    Attributes:
        actions: (n,) `int64`, the most visited; of equals the one of the highest value, then the
            one that was tried first.
        visits: (n, actions) `int64`, how many simulations took each action first.
        values: (n, actions) `float64`, their mean returns; NaN where there were none.
        nodes: (n,) `int64`, the states in each tree that actions were chosen in.
        simulations: of each tree.
        seconds: how long it took.
    """

    actions: np.ndarray[Any, np.dtype[np.int64]]
    visits: np.ndarray[Any, np.dtype[np.int64]]
    values: np.ndarray[Any, np.dtype[np.float64]]
    nodes: np.ndarray[Any, np.dtype[np.int64]]
    simulations: int
    seconds: float


class MonteCarloTreeSearch:
    """Searches from many states at once, a tree for each.

    A simulation follows the tree from its root to a new leaf, values that, and enters the value
    into all actions on the way. Without `evaluate` actions are chosen by UCT (Kocsis & Szepesvári
    2006, "Bandit based Monte-Carlo planning") and leaves valued by rollouts: legal actions, drawn
    uniformly. With it they are chosen by PUCT (Silver et al. 2017, "Mastering the game of Go
    without human knowledge"), where actions not yet tried are worth what their state is, and the
    leaves of all trees are valued together. In either, returns are scaled to those seen in the tree
    (Schrittwieser et al. 2020, "Mastering Atari, Go, chess and shogi by planning with a learned
    model").

    Games for two must be zero-sum, and moved in turns. Where dynamics are stochastic, chance falls
    anew in every simulation, from the seeds of the search: a node stands for the actions that led
    to it. With `transpositions` it stands for a state, however that was reached: what has been
    learned there is shared (Childs, Brodeur & Kocsis 2008, "Transpositions and move groups in Monte
    Carlo tree search", UCT1), and what chance made is known.

    Args:
        model: the model face; actions must be integers.
        simulations: of each tree; None for as many as there is time for.
        exploration: the weight of what was tried little, for returns scaled to [0, 1]; None for √2
            in UCT and 1.25 in PUCT.
        discount: of future rewards.
        depth: the most steps of a simulation, in the tree and beyond; rewards after them do not
            count.
        rollouts: how many value a leaf, by their mean.
        transpositions: whether equal states share a node.
        widening: (k, α): of a state visited n times at most k·nᵅ actions are tried, and at least
            one (progressive widening, Coulom 2007, "Computing Elo ratings of move patterns in the
            game of Go"): the likeliest first, or without priors any. None to try all.
        evaluate: see `Evaluate`; None for rollouts.
        noise: (ε, α): the priors of the root become (1 − ε)·prior + ε·noise, where the noise is
            drawn from a symmetric Dirichlet distribution of concentration α. None for none.
        limits: `max_expanded` bounds the nodes of each tree and `max_memory` the bytes of all: a
            full tree does not grow, though simulations go on. `max_seconds` is of a whole search.

    Raises:
        UnsupportedFaceError: actions are not integers, or there are other than one or two agents.
        InvalidArgumentError: a number is out of range, or nothing ends the search.
    """

    def __init__(
        self,
        model: Model,
        *,
        simulations: int | None = 1000,
        exploration: float | None = None,
        discount: float = 1.0,
        depth: int = 200,
        rollouts: int = 1,
        transpositions: bool = False,
        widening: tuple[float, float] | None = None,
        evaluate: Evaluate | None = None,
        noise: tuple[float, float] | None = None,
        limits: Limits = UNLIMITED,
    ):
        definition = model.definition
        if not definition.discrete or len(definition.agents) not in (0, 2):
            raise UnsupportedFaceError(
                "tree search needs actions that are one integer, of one agent or of two in turns"
            )
        if simulations is None and limits.max_seconds is None:
            raise InvalidArgumentError("give simulations, or limits with max_seconds, or both")
        if exploration is None:
            exploration = math.sqrt(2.0) if evaluate is None else 1.25
        _check(simulations, exploration, discount, depth, rollouts, widening)
        if noise is not None and (evaluate is None or not (0 <= noise[0] <= 1 and noise[1] > 0)):
            raise InvalidArgumentError(
                f"noise needs evaluate, a share from 0 to 1 and a positive α; got {noise!r}"
            )
        self._model, self._simulations, self._limits = model, simulations, limits
        self._evaluate, self._noise, self._transpositions = evaluate, noise, transpositions
        factor, exponent = widening or (0.0, 0.0)
        self._rules = Rules(
            float(exploration),
            make_spread(evaluate is not None),
            float(discount),
            depth,
            rollouts,
            float(factor),
            float(exponent),
            memory=0,
        )
        self._module = tree_module(definition, evaluate is not None, transpositions)
        self._trees: Trees | None = None

    def search(self, roots: States, seeds: Sequence[int]) -> TreeResult:
        """Search from each state.

        Args:
            roots: (n,) states, not terminal.
            seeds: n seeds of everything random; the results of a state depend on no other's.

        Raises:
            InvalidArgumentError: a state has no legal action, the memory is too small for a single
                node, or `evaluate` gives arrays of other shapes.
        """
        self._make_room(len(roots))
        trees, work = self._trees, self._work
        assert trees is not None
        work.roots[:] = self._model.prepared(roots, seeds)
        work.chance["rng"] = work.roots["rng"]
        trees.table[:] = 0
        shared = self._model.definition.params, trees, self._rules, work
        self._module.begin(*shared)
        if not trees.run["nodes"].all():
            bad = int(np.argmin(trees.run["nodes"]))
            raise InvalidArgumentError(
                f"state {bad} has no legal action, or max_memory no room for its node"
            )
        simulate = self._guided(*shared) if self._evaluate else self._unguided(*shared)
        done, quota = 0, 1024 if self._limits.max_seconds is None else 16
        with Watch(dataclasses.replace(self._limits, max_expanded=None)) as watch:
            while self._simulations is None or done < self._simulations:
                if watch.stops(int(trees.run["nodes"].sum()), self._used(trees)) is not None:
                    break
                begin = time.perf_counter()
                if self._simulations is not None:
                    quota = min(quota, self._simulations - done)
                simulate(quota)
                done += quota
                if time.perf_counter() - begin < min(_TICK, (self._limits.max_seconds or 1) / 20):
                    quota *= 2
            return self._result(done, watch.seconds)

    def _unguided(self, params: Any, trees: Trees, rules: Rules, work: Work) -> Any:
        """`simulate(quota)` with rollouts."""
        n = len(trees.run)
        threads = threads_for(n, n)
        loop = self._module.simulate
        if threads > 1:
            numba.set_num_threads(threads)
            loop = self._module.simulate_parallel
        loop(0, params, trees, rules, work)  # This compiles it.
        return lambda quota: loop(quota, params, trees, rules, work)

    def _guided(self, params: Any, trees: Trees, rules: Rules, work: Work) -> Any:
        """`simulate(quota)` with the network, which is shown the roots."""
        module, leaves = self._module, np.empty_like(work.roots)
        module.root_priors(*self._ask(work.roots), trees)
        self._add_noise(trees, work)

        def simulate(count: int) -> None:
            n = module.to_leaves(count, params, trees, rules, work, leaves)
            module.from_leaves(count, *self._ask(leaves[:n]), params, trees, rules, work)

        def simulate_often(quota: int) -> None:
            for _ in range(quota):
                simulate(len(leaves))

        simulate(0)  # This compiles it.
        return simulate_often

    def _ask(self, states: States) -> tuple[Array, Array]:
        """Priors and values of states."""
        n, n_actions = len(states), self._model.definition.n_actions
        if n == 0 or self._evaluate is None:
            return np.empty((0, n_actions)), np.empty(0)
        priors, values = (np.ascontiguousarray(a, np.float64) for a in self._evaluate(states))
        if priors.shape != (n, n_actions) or values.shape != (n,):
            raise InvalidArgumentError(
                f"evaluate must give priors {(n, n_actions)} and values {(n,)}; "
                f"got {priors.shape} and {values.shape}"
            )
        return priors, values

    def _add_noise(self, trees: Trees, work: Work) -> None:
        if self._noise is None:
            return
        share, concentration = self._noise
        for i, key in enumerate(work.chance["rng"].tolist()):
            priors = trees.edges["prior"][i, : trees.nodes["edges"][i, 0]]
            drawn = np.random.default_rng(key).dirichlet(np.full(len(priors), concentration))
            priors[:] = (1.0 - share) * priors + share * drawn
            trees.edges["bonus"][i, : len(priors)] = priors

    def _make_room(self, n: int) -> None:
        """Arrays for n trees, unless there are."""
        if self._trees is not None and len(self._trees.run) == n:
            return
        definition, depth = self._model.definition, self._rules.depth
        memory = self._limits.max_memory // n
        rooms = [memory // bytes_of_node(self._transpositions), self._limits.max_expanded]
        rooms.append(None if self._simulations is None else self._simulations + 1)
        nodes = min(room for room in rooms if room is not None)
        edges = min(nodes * definition.n_actions, memory // EDGE.itemsize)
        self._rules = self._rules._replace(memory=memory)
        self._trees = make_trees(n, nodes, edges, self._transpositions)
        self._work = make_work(n, definition, depth)

    def _used(self, trees: Trees) -> int:
        """Bytes of the trees."""
        nodes = int(trees.run["nodes"].sum()) * bytes_of_node(self._transpositions)
        return nodes + int(trees.run["edges"].sum()) * EDGE.itemsize

    def _result(self, simulations: int, seconds: float) -> TreeResult:
        trees, n_actions = self._trees, self._model.definition.n_actions
        assert trees is not None
        n = len(trees.run)
        found = TreeResult(
            np.empty(n, np.int64),
            np.zeros((n, n_actions), np.int64),
            np.full((n, n_actions), np.nan),
            trees.run["nodes"].copy(),
            simulations,
            seconds,
        )
        for i in range(n):
            edges = trees.edges[i, : trees.nodes["edges"][i, 0]]
            actions, visits = edges["action"], edges["visits"]
            means = np.where(visits > 0, edges["worth"], np.nan)
            found.visits[i, actions], found.values[i, actions] = visits, means
            order = np.lexsort((-np.arange(len(edges)), means, visits))
            found.actions[i] = actions[order[-1]]
        return found


def _check(
    simulations: int | None,
    exploration: float,
    discount: float,
    depth: int,
    rollouts: int,
    widening: tuple[float, float] | None,
) -> None:
    for name, count in (("simulations", simulations), ("depth", depth), ("rollouts", rollouts)):
        if count is not None and count < 1:
            raise InvalidArgumentError(f"{name} must be positive; got {count!r}")
    if not (exploration >= 0 and 0 < discount <= 1):
        raise InvalidArgumentError(
            "exploration must not be negative, and discount above 0 and at most 1; "
            f"got {exploration!r} and {discount!r}"
        )
    if widening is not None and not (widening[0] > 0 and 0 <= widening[1] <= 1):
        raise InvalidArgumentError(
            f"widening must be a positive factor and an exponent from 0 to 1; got {widening!r}"
        )


class MCTSAgent(Agent):
    """Searches anew before every action; see `MonteCarloTreeSearch`, also for the arguments.

    In a game it moves for both players.
    """

    def __init__(
        self,
        simulations: int | None = 1000,
        exploration: float | None = None,
        discount: float = 1.0,
        depth: int = 200,
        rollouts: int = 1,
        transpositions: bool = False,
        widening: tuple[float, float] | None = None,
        limits: Limits = UNLIMITED,
    ):
        self.options: dict[str, Any] = {
            "simulations": simulations, "exploration": exploration, "discount": discount,
            "depth": depth, "rollouts": rollouts, "transpositions": transpositions,
            "widening": widening, "limits": limits,
        }  # fmt: skip

    def start(self, env: Any, seed: int) -> None:
        """Get ready; see `Agent`.

        Raises:
            UnsupportedFaceError: the environment has no model face.
        """
        if not isinstance(env, KernelVectorEnv):
            raise UnsupportedFaceError("tree search needs an environment with a model face")
        super().start(env, seed)
        self._search = MonteCarloTreeSearch(self.env.prototype.model, **self.options)

    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        seeds = self.rng.integers(2**63, size=self.env.num_envs).tolist()
        return self._search.search(self.env.states, seeds).actions
