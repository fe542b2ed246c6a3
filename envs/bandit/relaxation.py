"""An upper bound on what restless arms can pay that share constraints.

The linear programme of Whittle 1988, "Restless bandits: activity allocation in a changing world",
for a finite horizon and any linear constraints: they are kept in expectation only, so that the
arms are coupled by their mean actions and no policy is worth more.
"""

from typing import Any, NamedTuple

import numpy as np

from ..kernel.feasible import Constraints

Array = np.ndarray[Any, Any]


class Arms(NamedTuple):
    """Independent Markov chains, moved by the variables of a common action row.

    An arm sees `k` variables of the row; its action is their code, the sum of `2^i` over those that
    are 1.

    Attributes:
        variables: (arms, k) the variables that each arm sees.
        transitions: (arms, 2^k, states, states) probabilities, from a state (third) to another.
        rewards: (arms, 2^k, states) expected rewards of a step from a state.
    """

    variables: Array
    transitions: Array
    rewards: Array


class Bound(NamedTuple):
    """A bound on the value of each start: `constant + sum of values[arm, state of arm]`.

    Attributes:
        constant: of all starts.
        values: (arms, states).
    """

    constant: float
    values: Array

    def at(self, states: Array) -> float:
        """The bound where the arms start in these states, (arms,)."""
        return self.constant + float(self.values[np.arange(len(states)), states].sum())


def relaxed_value(arms: Arms, constraints: Constraints, horizon: int) -> Bound:
    """The value of the relaxed programme, as a bound that holds for every start.

    The programme is solved for arms that start in each state equally likely. Its value is concave
    in the start, so that its marginals there bound it everywhere.

    Args:
        arms: what is moved.
        constraints: of the action row of every step.
        horizon: the number of steps.
    """
    from scipy.optimize import linprog

    n, codes, states, _ = arms.transitions.shape
    per_arm = codes * states
    extra = constraints.matrix.shape[1]  # the row and the auxiliary variables of a step
    start = np.full((n, states), 1 / states)
    equal, right = _flows(arms, horizon, extra), np.zeros((horizon, n * states))
    right[0] = start.ravel()
    link = _links(arms, horizon, extra)
    bounded, upper = _within(constraints, horizon, n * per_arm)
    cost = np.zeros((horizon, n * per_arm + extra))
    cost[:, : n * per_arm] = -arms.rewards.ravel()
    limits = np.tile([[0.0, 1.0]], (cost.size, 1))
    from scipy import sparse

    found: Any = linprog(
        cost.ravel(),
        A_ub=bounded,
        b_ub=upper,
        A_eq=sparse.vstack([equal, link], format="csr"),
        b_eq=np.concatenate([right.ravel(), np.zeros(link.shape[0])]),
        bounds=limits,
        method="highs",
    )
    values = -found.eqlin.marginals[: n * states].reshape(n, states)
    return Bound(-found.fun - float((values * start).sum()), values)


def _flows(arms: Arms, horizon: int, extra: int) -> Any:
    """Where an arm is, is where it came to: one equation a step, arm and state."""
    from scipy import sparse

    n, codes, states, _ = arms.transitions.shape
    here = sparse.kron(np.eye(n), np.tile(np.eye(states), codes))
    there = sparse.block_diag(
        [-arms.transitions[arm].reshape(codes * states, states).T for arm in range(n)]
    )
    unused = sparse.csr_matrix((n * states, extra))
    return sparse.kron(sparse.eye(horizon), sparse.hstack([here, unused])) + sparse.kron(
        sparse.eye(horizon, k=-1), sparse.hstack([there, unused])
    )


def _links(arms: Arms, horizon: int, extra: int) -> Any:
    """What an arm does is what the row says, in expectation: one equation a step and variable."""
    from scipy import sparse

    n, codes, states, _ = arms.transitions.shape
    k = arms.variables.shape[1]
    bits = (np.arange(codes)[None, :] >> np.arange(k)[:, None]) & 1
    does = sparse.kron(np.eye(n), np.repeat(bits, states, axis=1))
    says = np.zeros((n * k, extra))
    says[np.arange(n * k), arms.variables.ravel()] = -1.0
    return sparse.kron(sparse.eye(horizon), sparse.hstack([does, says]))


def _within(constraints: Constraints, horizon: int, unused: int) -> tuple[Any, Array]:
    """The constraints of every step, as upper bounds."""
    from scipy import sparse

    matrix, lower, upper = constraints
    both = np.concatenate([matrix, -matrix])
    bounds = np.concatenate([upper, -lower])
    finite = np.isfinite(bounds)
    padded = np.pad(both[finite], ((0, 0), (unused, 0)))
    return sparse.kron(sparse.eye(horizon), padded, format="csr"), np.tile(bounds[finite], horizon)
