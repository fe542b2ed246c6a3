"""Sequential search against parallel sampling, with one noisy policy and one budget.

The two ways to spend test-time computation that "To backtrack or not to backtrack: when sequential
search limits model reasoning" (2025) compares: one long depth-first search that backtracks, or many
independent tries without a way back, of which a verifier picks one that succeeds. There the policy
is a language model; here it is a softmax over a simple heuristic, so that nothing else differs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...envs.kernel import InvalidArgumentError, KernelEnv, Model, UnsupportedFaceError, kernel, rng
from ...envs.kernel.seeds import keys_from_seeds
from ...envs.search.arithmetic import combine_fractions, combine_integers
from .plan_agent import PlanAgent
from .problem import States

Method = Literal["sequential", "parallel"]


@dataclass(frozen=True)
class Guide:
    """What a policy knows about a kind of environment.

    Args:
        score: `score(state, action, params) -> float`, a kernel: how promising a legal action is.
            The policy is the softmax of score / temperature.
        branch: `branch(state, action, params) -> int`, a kernel. Actions of one branch are the
            alternatives to each other: some solution, if there is any, takes one of them, so that
            a search that backtracks need not try those of another branch too. In Sudoku these are
            the digits of one cell.
    """

    score: Any
    branch: Any


@kernel
def _zero(state, action, params):
    return 0


@kernel
def _score_digit(state, action, params):
    """The fewer candidates a cell has, the better; digits are alike."""
    candidates, count = int(state.candidates[action // params.side]), 0
    while candidates:
        candidates &= candidates - 1
        count += 1
    return -float(count)


@kernel
def _cell(state, action, params):
    return action // params.side


@kernel
def _score_integers(state, action, params):
    """The closer a result is to the target, the better."""
    i, j = params.pairs[action // 4, 0], params.pairs[action // 4, 1]
    made = combine_integers(int(state.numbers[i]), int(state.numbers[j]), action % 4)
    return -math.log(1.0 + abs(float(made - state.target)))


@kernel
def _score_fractions(state, action, params):
    """The closer a result is to 24, the better."""
    i, j = params.pairs[action // 5, 0], params.pairs[action // 5, 1]
    top, bottom = combine_fractions(
        int(state.tops[i]), int(state.bottoms[i]), int(state.tops[j]), int(state.bottoms[j]),
        action % 5,
    )  # fmt: skip
    return -math.log(1.0 + abs(float(top) / float(bottom) - 24.0))


@kernel
def _gumbel(state):
    """A standard Gumbel deviate: the argmax of scores plus these is drawn from their softmax."""
    return -math.log(-math.log(1.0 - rng.uniform(state)))


#: By the name of the environment's class.
GUIDES = {
    "Sudoku": Guide(_score_digit, _cell),
    "Countdown": Guide(_score_integers, _zero),
    "GameOf24": Guide(_score_fractions, _zero),
}
#: Nothing is known: all legal actions are equally probable.
UNIFORM = Guide(_zero, _zero)

_TEXT = '''
@inlined
def open_place(depth, state, chance, params, sharpness, mask, keys, branches):
    """Draw an order of the legal actions of a state, the first one from the policy."""
    mask_lane(depth, state, params, mask)
    for action in range(keys.shape[1]):
        keys[depth, action] = -np.inf
        if is_legal(depth if mask.shape[0] > 1 else 0, action, mask):
            score = float(score_kernel(state, action, params))
            keys[depth, action] = score * sharpness + gumbel(chance)
    branches[depth] = -1

@inlined
def next_action(depth, state, params, keys, branches):
    """The next action that is an alternative to those tried before; -1 where none is left."""
    best, key = -1, -np.inf
    for action in range(keys.shape[1]):
        if keys[depth, action] > key:
            if branches[depth] < 0 or branch_kernel(state, action, params) == branches[depth]:
                best, key = action, keys[depth, action]
    if best >= 0:
        branches[depth] = branch_kernel(state, best, params)
        keys[depth, best] = -np.inf
    return best

@lane
def sample(roots, chances, params, sharpness, backtracks, budget, path, mask, keys, branches,
           reward, terminated, solved, spent, plans):
    """Search from every root, until a goal is found or the budget spent."""
    deepest = len(path) - 1
    for i in range(len(roots)):
        chance = chances[i]
        path[0] = roots[i]
        depth, spent[i] = 0, 0
        open_place(0, path[0], chance, params, sharpness, mask, keys, branches)
        while spent[i] < budget:
            action = -1
            if depth < deepest:
                action = next_action(depth, path[depth], params, keys, branches)
            if action < 0:
                if depth == 0:
                    break
                depth -= 1
                if not backtracks:
                    depth = 0
                    open_place(0, path[0], chance, params, sharpness, mask, keys, branches)
                continue
            path[depth + 1] = path[depth]
            child = path[depth + 1]
            advance(0, child, action, params, reward, terminated)
            spent[i] += 1
            plans[i, depth] = action
            if is_goal_lane(child, params):
                solved[i] = True
                plans[i, depth + 1] = -1
                break
            if terminated[0]:
                if not backtracks:
                    depth = 0
                    open_place(0, path[0], chance, params, sharpness, mask, keys, branches)
                continue
            depth += 1
            open_place(depth, child, chance, params, sharpness, mask, keys, branches)
'''


@dataclass(frozen=True)
class Samples:
    """What the searches of n states have found.

    Attributes:
        solved: (n,) `bool`, whether a goal was found.
        spent: (n,) `int64`, how many steps were simulated until then, so that a smaller budget
            would not have been enough.
        plans: (n, deepest + 1) `int32`, the actions to the goal, −1 behind the last; meaningless
            where none was found.
    """

    solved: np.ndarray[Any, np.dtype[np.bool_]]
    spent: np.ndarray[Any, np.dtype[np.int64]]
    plans: np.ndarray[Any, np.dtype[np.int32]]


def sample_plans(
    model: Model,
    roots: States,
    seeds: Sequence[int],
    *,
    method: Method,
    budget: int,
    temperature: float = 1.0,
    guide: Guide = UNIFORM,
    deepest: int = 256,
) -> Samples:
    """Look for a way from each state to a goal, within a budget of simulated steps.

    Sequentially: depth-first search. At each state the actions are tried in the order in which the
    policy draws them without replacement; where none of the branch of the first is left, the
    search goes back. It ends early where the whole tree is searched. In parallel: one episode of
    the policy after the other from the beginning; what is learned in one is lost to the next.
    Going back, and starting again, is free.

    Args:
        model: the model face, of deterministic dynamics.
        roots: (n,) the states.
        seeds: n seeds of the policy's chance.
        method: `"sequential"` or `"parallel"`.
        budget: the most simulated steps for each state.
        temperature: of the softmax; infinite for a uniform policy.
        guide: what the policy knows.
        deepest: the most actions of a plan.

    Raises:
        UnsupportedFaceError: the dynamics are stochastic, or the environment names no goals.
        InvalidArgumentError: the method is unknown, or a number is not positive.
    """
    definition = model.definition
    if not model.deterministic or definition.kernels.goal is None or not definition.discrete:
        raise UnsupportedFaceError(
            "plans are sampled where dynamics are deterministic, actions single integers, and "
            "goals named"
        )
    if method not in ("sequential", "parallel"):
        raise InvalidArgumentError(f"method must be 'sequential' or 'parallel'; got {method!r}")
    if not (budget > 0 and temperature > 0 and deepest > 0):
        raise InvalidArgumentError("budget, temperature and deepest must be positive")
    loops = definition.generate(
        _TEXT, score_kernel=guide.score, branch_kernel=guide.branch, gumbel=_gumbel
    )
    n, places, n_actions = len(roots), deepest + 1, definition.n_actions
    chances = definition.layout.empty(n)
    chances["rng"] = keys_from_seeds(seeds)
    found = Samples(np.zeros(n, bool), np.zeros(n, np.int64), np.zeros((n, places), np.int32))
    loops.sample(
        *(model.prepared(roots), chances, definition.params),
        *(1.0 / temperature, method == "sequential", budget),
        np.empty(places, roots.dtype),
        np.ones((places if definition.masked else 1, n_actions), np.int8),
        *(np.empty((places, n_actions)), np.zeros(places, np.int64)),
        *(np.zeros(1, np.float32), np.zeros(1, bool), found.solved, found.spent, found.plans),
    )
    return found


def guide_of(env: KernelEnv) -> Guide:
    """The guide of an environment's class; a uniform one where there is none."""
    names = [base.__name__ for base in type(env).__mro__]
    return next((GUIDES[name] for name in names if name in GUIDES), UNIFORM)


class SamplingAgent(PlanAgent):
    """Plans each episode by sequential search or parallel sampling; see `sample_plans`.

    Args:
        method: `"sequential"` or `"parallel"`.
        budget: the most simulated steps for an episode.
        temperature: of the policy.
    """

    def __init__(
        self, method: Method = "sequential", budget: int = 10_000, temperature: float = 1.0
    ):
        self.method: Method = method
        self.budget, self.temperature = budget, temperature

    def plan(self, state: States) -> Sequence[int] | None:
        env = self.env.prototype
        self._found = sample_plans(
            env.model,
            state,
            [int(self.rng.integers(2**63))],
            method=self.method,
            budget=self.budget,
            temperature=self.temperature,
            guide=guide_of(env),
        )
        if not self._found.solved[0]:
            return None
        plan = self._found.plans[0].tolist()
        return plan[: plan.index(-1)]

    def figures(self) -> dict[str, Any]:
        return {"spent": int(self._found.spent[0])}
