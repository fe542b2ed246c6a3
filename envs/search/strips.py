"""Strips: classical planning tasks, from PDDL or drawn from eight usual domains."""

from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnparseableActionError,
    kernel,
    rng,
)
from . import strips_faces
from .pddl_tasks import words, write_problem
from .strips_banks import check_drawn, draw_bank, read_bank
from .strips_grounding import Task
from .strips_search import fewest_steps

Array = np.ndarray[Any, Any]
_SEARCHED = 300_000  # states that the search for the best return may keep
_NO_OPERATOR = "no operator applies"


class Params(NamedTuple):
    """Fixed for the life of the environment: the grounded task, see `strips_grounding.Task`.

    Attributes:
        watched: (k,) `int32`, facts, each of which some operators need. −1 stands for operators
            that need none.
        groups: (k + 1,) `int32`, where the operators of each begin in `members`.
        members: (operators,) `int32`.
        changes: the facts that operators change, `int32`, and in `ranges` (operators + 2,) where
            those of each begin. The last action changes nothing.
    """

    starts: Array
    goal: Array
    goal_care: Array
    want: Array
    care: Array
    keep: Array
    add: Array
    costs: Array
    watched: Array
    groups: Array
    members: Array
    changes: Array
    ranges: Array


@kernel
def reset(state, params):
    """A problem of the bank."""
    problem = rng.task(state, len(params.starts))
    state.problem = problem
    state.last = len(params.costs)
    for word in range(state.facts.shape[0]):
        state.facts[word] = params.starts[problem, word]


@kernel
def step(state, action, params):
    """Apply an operator; where none is applicable, time passes."""
    state.last = action
    if action == len(params.costs):
        return -1.0, False
    for word in range(state.facts.shape[0]):
        kept = state.facts[word] & params.keep[action, word]
        state.facts[word] = kept | params.add[action, word]
    return -params.costs[action], goal(state, params)


@kernel
def goal(state, params):
    """All that the goal names is as it says."""
    problem = int(state.problem)
    for word in range(state.facts.shape[0]):
        wrong = state.facts[word] ^ params.goal[problem, word]
        if wrong & params.goal_care[problem, word] != 0:
            return False
    return True


@kernel
def has(state, fact):
    """Whether a fact holds."""
    return (int(state.facts[fact >> 6]) >> (fact & 63)) & 1


@kernel
def legal(state, params, mask):
    """The applicable operators; only where there are none, the last action.

    Operators are looked at only where the fact that they are filed under holds.
    """
    n_words, some = state.facts.shape[0], False
    mask[:] = 0
    for k in range(len(params.watched)):
        fact = int(params.watched[k])
        if fact >= 0 and has(state, fact) == 0:
            continue
        for j in range(int(params.groups[k]), int(params.groups[k + 1])):
            operator = int(params.members[j])
            wrong = np.int64(0)
            for word in range(n_words):
                found = state.facts[word] ^ params.want[operator, word]
                wrong = wrong | (found & params.care[operator, word])
            if wrong == 0:
                mask[operator] = 1
                some = True
    if not some:
        mask[len(params.costs)] = 1


@kernel
def observe(state, params, obs):
    """What holds, and what is wanted."""
    problem = int(state.problem)
    for fact in range(obs.shape[1]):
        word, bit = fact >> 6, fact & 63
        obs[0, fact] = has(state, fact)
        cared = (int(params.goal_care[problem, word]) >> bit) & 1
        wanted = (int(params.goal[problem, word]) >> bit) & 1
        obs[1, fact] = 2 * wanted - cared if cared != 0 else 0


@kernel
def update(state, params, obs):
    """The facts that the last operator changes."""
    last = int(state.last)
    for k in range(int(params.ranges[last]), int(params.ranges[last + 1])):
        fact = int(params.changes[k])
        obs[0, fact] = has(state, fact)


class Strips(KernelEnv):
    """
    ## Description
    Classical planning: a state is the set of facts that hold, an operator needs some facts and
    makes others true and false, and the goal names facts that are to hold (Fikes & Nilsson 1971,
    "STRIPS: a new approach to the application of theorem proving to problem solving"). A task is
    read from PDDL files or drawn from one of eight usual domains: blocksworld, childsnack,
    floortile, miconic, rovers, sokoban, spanner and transport, those of the learning track of the
    International Planning Competition 2023. All problems of an environment share their facts and
    operators, so that what is learnt about an operator in one is of use in the others.

    ## Observation Space
    `Box(-1, 1, (2, facts), int8)`: row 0 tells which facts hold; row 1 is 1 for a fact that the
    goal wants, −1 for one that must not hold, and 0 for the others. Facts that are the same in all
    states of all problems are left out. `env.task.facts` names them.

    ## Action Space
    `Discrete(operators + 1)`: an operator, of those named in `env.task.operators`. Those that are
    not applicable are illegal and masked. The last action does nothing and is legal only where no
    operator is applicable: in a dead end, in which an episode goes on.

    ## Rewards
    −1 for each action, or minus its cost where the PDDL domain increases `(total-cost)`.

    ## Starting State
    The initial state of a problem drawn uniformly from a bank; `reset(options={"task": k})`
    chooses it. All problems of the eight domains can be solved.

    ## Episode End
    Terminated when the goal is reached; truncated after `max_episode_steps` actions.

    ## Arguments
    - `domain`: one of the eight domains (default "blocksworld"), or the path of a PDDL domain file.
    - `problem`: the path of a PDDL problem file, or of a folder of them, whose `.pddl` files other
      than `domain*` are read; required with a domain file.
    - `size`: of the drawn problems: the number of blocks, children, columns of the floor (≥ 2),
      passengers, goals, boxes, nuts or packages. None (default) for a mixture by `split`.
    - `split`: `"train"` (default) or `"test"`: other problems, and by default larger ones.
    - `problems`: the number of drawn problems in the bank (default 64).
    - `problems_seed`: what they are drawn from (default 0).
    - `max_episode_steps`: the time limit (default 200); −1 for none.

    Of PDDL, `:strips`, `:typing`, `:equality`, `:negative-preconditions` and constant
    `:action-costs` are supported; anything else raises an error that names it.

    `env.pddl(k)` gives problem k as PDDL, for other planners.

    ## Reference Scores
    `spelunk.reference("spelunk/Strips-v0")`: the random policy, and shortest plans by breadth-first
    search. For problems too large for that no best is given.

    ## Version History
    - v0: first version.
    """

    best_source = "shortest plans by breadth-first search"

    def __init__(
        self,
        domain: str = "blocksworld",
        problem: str | None = None,
        size: int | None = None,
        split: Literal["train", "test"] = "train",
        problems: int = 64,
        problems_seed: int = 0,
        max_episode_steps: int = 200,
        render_mode: str | None = None,
    ):
        if problem is None:
            check_drawn(domain, size, split, problems, problems_seed)
            made = draw_bank(domain, size, split, problems, problems_seed)
        elif (size, split, problems, problems_seed) != (None, "train", 64, 0):
            raise InvalidArgumentError(
                f"the problems come from problem {problem!r}: leave size, split, problems and "
                "problems_seed out"
            )
        else:
            made = read_bank(domain, problem)
        #: Domain and problems as they were read or drawn, and what they were grounded to.
        self.domain, self.problems, self.task = made
        task, n = self.task, len(self.task.operators)
        self._actions_by_words = {words(o).strip("()"): k for k, o in enumerate(task.operators)}
        self._actions_by_words[_NO_OPERATOR] = n
        self._best: dict[int, float | None] = {}
        super().__init__(
            kernels=Kernels(
                reset=reset, step=step, observe=observe, legal=legal, goal=goal, update=update
            ),
            layout=StateLayout(
                [("problem", np.int32)],
                [("facts", np.int64, (task.want.shape[1],))],
                [("last", np.int32)],
            ),
            params=_params(task),
            observation_space=spaces.Box(-1, 1, (2, len(task.facts)), np.int8),
            action_space=spaces.Discrete(n + 1),
            max_episode_steps=max_episode_steps,
            tasks=len(self.problems),
            render_mode=render_mode,
        )

    def pddl(self, problem: int) -> str:
        """A problem of the bank as the text of a PDDL file."""
        return write_problem(self.problems[problem], self.domain.name)

    def describe_state(self, state: Any) -> str:
        task, problem = self.task, int(state["problem"])
        holds = ", ".join(words(fact) for fact in strips_faces.members(task, state["facts"]))
        wanted = strips_faces.goal_words(task, problem)
        return (
            f"A planning task of the domain {self.domain.name}. What holds: {holds or 'nothing'}. "
            f"The goal: {', '.join(wanted)}."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return strips_faces.draw(self.task, int(state["problem"]), state["facts"])

    def show_state(self, state: Any) -> str:
        return strips_faces.show(self.task, int(state["problem"]), state["facts"])

    def action_words(self, action: Any) -> str:
        if int(action) == len(self.task.operators):
            return _NO_OPERATOR
        return words(self.task.operators[int(action)])

    def parse(self, text: str) -> Any:
        """The operator that a text names, with or without parentheses.

        Raises:
            UnparseableActionError: it names none.
        """
        wanted = " ".join(text.lower().replace("(", " ").replace(")", " ").split())
        if wanted not in self._actions_by_words:
            raise UnparseableActionError(
                f"{text!r} names no operator; say for example {self.action_words(0)!r}"
            )
        return self._actions_by_words[wanted]

    def best_return(self, seed: int) -> float | None:
        problem = int(self.model.reset([seed])["problem"][0])
        if problem not in self._best:
            self._best[problem] = self._shortest(problem)
        best, limit = self._best[problem], self.definition.max_episode_steps
        return best if best is None or limit < 0 else max(best, -float(limit))

    def _shortest(self, problem: int) -> float | None:
        """Minus the length of a shortest plan; None where it is not found."""
        p = self.definition.params
        if (p.costs != 1).any():
            return None
        steps = fewest_steps(
            p.want, p.care, p.keep, p.add, p.starts[problem], p.goal[problem],
            p.goal_care[problem], _SEARCHED,
        )  # fmt: skip
        return None if steps < 0 else -float(steps)


def _params(task: Task) -> Params:
    """File the operators under facts they need, and list the facts that each changes."""
    n, n_facts = len(task.operators), len(task.facts)
    rarity = strips_faces.flags(task.starts, n_facts).sum(axis=0)
    needed = strips_faces.flags(task.want, n_facts)
    # An operator is filed under the fact that holds least often at first.
    watched = np.where(needed, rarity, len(task.starts) + 1).argmin(axis=1)
    watched[~needed.any(axis=1)] = -1
    members = np.argsort(watched, kind="stable").astype(np.int32)
    facts, groups = np.unique(watched[members], return_index=True)
    changed = strips_faces.flags(~task.keep | task.add, n_facts)
    operator, changes = np.nonzero(changed)
    ranges = np.searchsorted(operator, np.arange(n + 2)).astype(np.int32)
    return Params(
        task.starts, task.goal, task.goal_care, task.want, task.care, task.keep, task.add,
        task.costs, facts.astype(np.int32), np.append(groups, n).astype(np.int32), members,
        changes.astype(np.int32), ranges,
    )  # fmt: skip
