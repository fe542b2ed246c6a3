"""The feasible action that a ReLU network values most.

A network of a state and an action row is piecewise linear in the action, so that its maximum over a
feasible set is an integer programme: Xu et al. 2025, "Reinforcement learning with combinatorial
actions for coupled restless bandits", with the encoding of Tjeng, Xiao & Tedrake 2019, "Evaluating
robustness of neural networks with mixed integer programming".
"""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from torch import nn

from ...envs.kernel.errors import InvalidArgumentError
from ...envs.kernel.feasible import Constraints, FeasibleSpace

Array = np.ndarray[Any, Any]
Method = Literal["milp", "enumerate", "swap", "greedy"]
#: Weights (outputs, inputs) and biases (outputs,) of the layers; a ReLU between any two.
Layers = list[tuple[Array, Array]]


class Choice(NamedTuple):
    """An action and its value.

    Attributes:
        row: (n,) `int8`.
        value: what the network says of it.
    """

    row: Array
    value: float


class QArgmax:
    """Finds the feasible row a that maximises Q(a, s), for one state s after the other.

    Args:
        space: the feasible actions.
        method: `"milp"`, exact, by a mixed-integer programme (HiGHS); `"enumerate"`, exact, for
            sets that can be listed; `"swap"`, local search from random rows, and `"greedy"`, which
            adds one after the other to nothing: both may fall short.
        restarts: from how many rows local search starts.
        seed: of its random rows.

    Raises:
        InvalidArgumentError: there is no such method, or too many rows to list.
    """

    def __init__(
        self, space: FeasibleSpace, method: Method = "milp", restarts: int = 8, seed: int = 0
    ):
        if method not in get_args(Method):
            raise InvalidArgumentError(f"method must be in {get_args(Method)}; got {method!r}")
        self.space, self.restarts = space, restarts
        self.rng = np.random.default_rng(seed)
        self._search = getattr(self, f"_by_{method}")
        self._rows = space.enumerate() if method == "enumerate" else None
        self._constraints = space.constraints() if method == "milp" else None
        #: The most ones of a feasible row, which narrows the bounds of the units.
        self._most = int(space.maximise(np.ones(space.n)).sum())
        self._memo: dict[bytes, Choice] = {}
        self.layers: Layers = []

    def load(self, network: nn.Sequential) -> None:
        """Maximise this network from now on, as its parameters are at this moment.

        Args:
            network: `Linear` layers with a `ReLU` between any two, from (action, state) rows to
                one value.

        Raises:
            InvalidArgumentError: it is another network.
        """
        self.layers = read_layers(network)
        self._memo.clear()

    def __call__(self, state: Array) -> Choice:
        """The best row in a state (width,); states met since the last `load` are remembered."""
        key = state.tobytes()
        if key not in self._memo:
            (weights, bias), *rest = self.layers
            n = self.space.n
            at_state = bias + weights[:, n:] @ np.asarray(state, float)
            layers = [(weights[:, :n], at_state), *rest]
            row = self._search(layers)
            self._memo[key] = Choice(row, float(evaluate(layers, row[None])[0]))
        return self._memo[key]

    def _by_enumerate(self, layers: Layers) -> Array:
        assert self._rows is not None
        return self._rows[evaluate(layers, self._rows).argmax()]

    def _by_swap(self, layers: Layers) -> Array:
        best, value = np.zeros(self.space.n, np.int8), -np.inf
        for _ in range(self.restarts):
            row = self.space.draw(self.rng)
            worth = evaluate(layers, row[None])[0]
            while True:
                near = neighbours(self.space, row)
                values = evaluate(layers, near)
                if not len(near) or values.max() <= worth:
                    break
                row, worth = near[values.argmax()], values.max()
            if worth > value:
                best, value = row, worth
        return best

    def _by_greedy(self, layers: Layers) -> Array:
        return self.space.grow(lambda rows: evaluate(layers, rows))

    def _by_milp(self, layers: Layers) -> Array:
        from scipy.optimize import Bounds, LinearConstraint, milp

        assert self._constraints is not None
        programme = Programme(self.space.n, self._constraints, self._most, layers)
        found: Any = milp(
            programme.cost,
            integrality=programme.integral,
            bounds=Bounds(programme.low, programme.high),  # pyright: ignore[reportArgumentType]
            constraints=[
                LinearConstraint(matrix, lower, upper)  # pyright: ignore[reportArgumentType]
                for matrix, lower, upper in programme.constraints
            ],
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            raise RuntimeError(f"HiGHS found no maximum: {found.message}")
        return np.rint(found.x[: self.space.n]).astype(np.int8)


class Programme:
    """Q as a mixed-integer programme over the row, the set's auxiliary variables, and the units.

    A unit that can be on either side of 0 gets its output z and a binary d, whether it is on:
    z ≥ pre, z ≤ pre − low · (1 − d), z ≤ high · d, where low ≤ pre ≤ high bound its input over all
    feasible rows (`Ranges`). Units that are always on are linear, those always off are left out.

    Args:
        n: the length of a row.
        constraints: of the feasible rows.
        most: the most ones of a feasible row.
        layers: of the network, as a function of the row alone.

    Attributes:
        cost: of each variable, to be minimised.
        integral: 1 for those that are integers.
        low, high: the ranges of the variables.
        constraints: matrices with their lower and upper bounds.
    """

    def __init__(self, n: int, constraints: Constraints, most: int, layers: Layers):
        first = constraints.matrix.shape[1]
        units = sum(len(bias) for _, bias in layers[:-1])
        size = first + 2 * units
        self.low, self.high = np.zeros(size), np.ones(size)
        self.integral = np.ones(size)
        self._rows: list[Array] = []
        self._upper: list[float] = []
        # What a layer is given: linear in the variables, and how little and much it can be.
        inputs, offset = np.eye(n, size), np.zeros(n)
        ranges, place = Ranges(n, most), first
        for weights, bias in layers[:-1]:
            before, constant = weights @ inputs, weights @ offset + bias
            least, greatest = ranges.of_layer(weights, bias)
            inputs, offset = np.zeros_like(before), np.zeros_like(constant)
            for unit in range(len(bias)):
                z, d = place + unit, place + units + unit
                self.integral[z], self.high[z] = 0, max(greatest[unit], 0.0)
                if least[unit] >= 0:
                    inputs[unit], offset[unit] = before[unit], constant[unit]
                elif greatest[unit] > 0:
                    inputs[unit, z] = 1.0
                    self._add_unit(before[unit], constant[unit], z, d, least[unit], greatest[unit])
            place += len(bias)
        weights, _ = layers[-1]
        self.cost = -(weights @ inputs)[0]
        matrix = np.pad(constraints.matrix, ((0, 0), (0, size - first)))
        self.constraints = [(matrix, constraints.lower, constraints.upper)]
        if self._rows:
            upper = np.array(self._upper)
            self.constraints.append((np.array(self._rows), np.full(len(upper), -np.inf), upper))

    def _add_unit(
        self, before: Array, constant: float, z: int, d: int, least: float, greatest: float
    ) -> None:
        """A unit whose input is `before @ variables + constant`."""
        above, on, off = before.copy(), -before, np.zeros_like(before)
        above[z] -= 1.0
        on[z] += 1.0
        on[d] -= least
        off[z], off[d] = 1.0, -greatest
        self._rows += [above, on, off]
        self._upper += [-constant, constant - least, 0.0]


class Ranges:
    """Bounds on the units of a network, layer by layer, over 0–1 rows with at most so many ones.

    Between a linear function of the row below and one above it (Zhang et al. 2018, "Efficient
    neural network robustness certification with general activation functions"), which is tighter
    than intervals.

    Args:
        n: the length of a row.
        most: the most ones.
    """

    def __init__(self, n: int, most: int):
        self.most = most
        self._below = self._above = (np.eye(n), np.zeros(n))

    def of_layer(self, weights: Array, bias: Array) -> tuple[Array, Array]:
        """How little and how much the inputs (units,) of the next layer can be."""
        positive, negative = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
        below, above = (
            (positive @ near[0] + negative @ far[0], positive @ near[1] + negative @ far[1] + bias)
            for near, far in ((self._below, self._above), (self._above, self._below))
        )
        low = below[1] + np.sort(np.minimum(below[0], 0.0), axis=1)[:, : self.most].sum(axis=1)
        high = above[1] - np.sort(np.minimum(-above[0], 0.0), axis=1)[:, : self.most].sum(axis=1)
        # The ReLU is below the line through its values at both ends, and above x and above 0.
        unsure = (low < 0) & (high > 0)
        slope = np.where(unsure, high / np.where(unsure, high - low, 1.0), low >= 0)
        lift = np.where(unsure, -slope * low, 0.0)
        keep = np.where(unsure, high > -low, low >= 0)
        self._below = keep[:, None] * below[0], keep * below[1]
        self._above = slope[:, None] * above[0], slope * above[1] + lift
        return low, high


def read_layers(network: nn.Sequential) -> Layers:
    """The weights and biases of a network, in double precision.

    Raises:
        InvalidArgumentError: it is not made of `Linear` layers with a `ReLU` between any two.
    """
    linear = [part for part in list(network)[::2] if isinstance(part, nn.Linear)]
    units = [part for part in list(network)[1::2] if isinstance(part, nn.ReLU)]
    if len(linear) != len(units) + 1 or len(network) != len(linear) + len(units):
        raise InvalidArgumentError(f"the network must be Linear and ReLU in turns; got {network}")
    return [
        (part.weight.detach().double().cpu().numpy(), part.bias.detach().double().cpu().numpy())
        for part in linear
    ]


def evaluate(layers: Layers, rows: Array) -> Array:
    """The values (m,) of rows (m, inputs)."""
    x = rows.astype(float)
    for weights, bias in layers[:-1]:
        x = np.maximum(x @ weights.T + bias, 0.0)
    weights, bias = layers[-1]
    return (x @ weights.T + bias)[:, 0]


def neighbours(space: FeasibleSpace, row: Array) -> Array:
    """The feasible rows that differ in one variable, or by an exchange of two, (m, n)."""
    flipped = row ^ np.eye(space.n, dtype=np.int8)
    ones, zeros = np.flatnonzero(row), np.flatnonzero(row == 0)
    swapped = np.tile(row, (len(ones) * len(zeros), 1))
    out, into = np.repeat(ones, len(zeros)), np.tile(zeros, len(ones))
    each = np.arange(len(swapped))
    swapped[each, out], swapped[each, into] = 0, 1
    rows = np.concatenate([flipped, swapped])
    return rows[space.are_feasible(rows)]
