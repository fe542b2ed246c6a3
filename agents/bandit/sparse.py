"""Which arm is best where rewards are sparse linear, and the model is wrong by up to ε?

Three algorithms that may query arms as they like and then name one. They differ in what they
believe: `SparseNet` in nothing but the rewards of the arms that it has tried, `HardThresholdLS` in
a sparse linear model, `PhasedElimination` in a dense one, which errors that conspire over many
coordinates mislead by ε times the root of the dimension. After Dong & Yang, "Does sparsity help in
learning misspecified linear bandits?" (ICML 2023), and Lattimore, Szepesvári & Weisz, "Learning
with good feature representations in bandits and in RL with a generative model" (ICML 2020).
"""

import math
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, NamedTuple, Self

import numpy as np

from ...envs.bandit.linear import LinearBandit
from ...envs.kernel import InvalidArgumentError

Array = np.ndarray[Any, Any]

_LARGEST_SUPPORT = 3


class Choice(NamedTuple):
    """What an algorithm found.

    Attributes:
        arm: the one it takes for the best.
        queries: how many rewards it asked for.
    """

    arm: int
    queries: int


class Queries:
    """A linear bandit whose arms can be tried as often as one likes, and that counts.

    Args:
        features: (arms, dimension).
        means: (arms,) true mean rewards.
        noise: the standard deviation of a reward.
        seed: of the noise.
    """

    def __init__(self, features: Array, means: Array, noise: float, seed: int = 0):
        self.features = np.asarray(features, np.float64)
        self.count = 0
        self._means, self._noise = np.asarray(means), noise
        self._rng = np.random.default_rng(seed)

    @classmethod
    def of(cls, env: LinearBandit, seed: int) -> Self:
        """The queries of the episode that `reset(seed=seed)` starts."""
        state = env.model.reset([seed])[0]
        return cls(env.features(state), state["means"], env.definition.params.noise, seed)

    def ask(self, arms: Array, times: Array | int) -> Array:
        """The mean reward of each of some arms over so many trials, (n,)."""
        times = np.broadcast_to(times, arms.shape)
        self.count += int(times.sum())
        return self._means[arms] + self._noise / np.sqrt(times) * self._rng.normal(size=arms.shape)

    def gap(self, arm: int) -> float:
        """By how much the mean of an arm is below the best: for judging an answer."""
        return float(self._means.max() - self._means[arm])


@dataclass(frozen=True)
class SparseNet:
    """Tries the best arm of every direction that a sparse θ may have, and names the best of those.

    The sparse unit sphere is covered by a net of mesh ε, of O(dimension^sparsity ε^−sparsity)
    points. The greedy arm of the point next to θ is as good as the best one but for O(ε), whatever
    the errors are, and no model is fitted.

    Args:
        sparsity: entries of θ that are not 0, 1 to 3: the net grows fast.
        epsilon: the misspecification, and the mesh.
        trials: of each arm; None for ⌈1/ε²⌉.
    """

    sparsity: int
    epsilon: float
    trials: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.sparsity <= _LARGEST_SUPPORT:
            raise InvalidArgumentError(
                f"sparsity must be 1 to {_LARGEST_SUPPORT}, since the net grows with its power; "
                f"got {self.sparsity}"
            )
        if not 0 < self.epsilon < 1:
            raise InvalidArgumentError(f"epsilon must be above 0, below 1; got {self.epsilon}")

    def identify(self, queries: Queries) -> Choice:
        """Name an arm."""
        before, arms = queries.count, self.greedy_arms(queries.features)
        trials = self.trials or math.ceil(self.epsilon**-2)
        best = arms[queries.ask(arms, trials).argmax()]
        return Choice(int(best), queries.count - before)

    def greedy_arms(self, features: Array) -> Array:
        """The arms that are best for a point of the net, increasing."""
        net, found = sphere_net(self.sparsity, self.epsilon), set()
        used = features != 0
        for support in combinations(range(features.shape[1]), self.sparsity):
            # Arms without any entry of the support all count 0, like the first of them.
            touching = used[:, support].any(axis=1)
            arms = np.flatnonzero(touching)
            if not touching.all():
                arms = np.append(arms, touching.argmin())
            scores = features[np.ix_(arms, np.array(support))] @ net.T
            found.update(arms[scores.argmax(axis=0)].tolist())
        return np.array(sorted(found))


def sphere_net(dimension: int, mesh: float) -> Array:
    """Unit vectors (n, dimension), one within `mesh` of each point of the unit sphere.

    They are the points of a grid on the faces of the cube, drawn towards the middle: that brings
    no two points farther from each other.
    """
    if dimension == 1:
        return np.array([[-1.0], [1.0]])
    cells = math.ceil(math.sqrt(dimension - 1) / mesh)
    ticks = (np.arange(cells) + 0.5) / cells * 2 - 1
    face = np.array(list(product(ticks, repeat=dimension - 1)))
    faces = [
        np.insert(face, axis, side, axis=1) for axis in range(dimension) for side in (-1.0, 1.0)
    ]
    points = np.concatenate(faces)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@dataclass(frozen=True)
class HardThresholdLS:
    """Fits a linear model to randomly chosen arms, keeps its largest entries, and is greedy.

    The entries that are kept are fitted once more, to arms along them. Where features are
    incoherent, errors that conspire over many coordinates are thresholded away, and the arm is
    O(sparsity · ε) short of the best.

    Args:
        sparsity: how many entries are kept.
        samples: how many arms are chosen, with replacement.
        trials: of each.
        seed: of the choice.
    """

    sparsity: int
    samples: int = 2000
    trials: int = 10
    seed: int = 0

    def identify(self, queries: Queries) -> Choice:
        """Name an arm."""
        before, features = queries.count, queries.features
        rng = np.random.default_rng(self.seed)
        arms = rng.integers(len(features), size=self.samples)
        theta = _least_squares(features[arms], queries.ask(arms, self.trials))
        support = np.argsort(-abs(theta), kind="stable")[: self.sparsity]
        along = np.linalg.norm(features[:, support], axis=1)
        arms = np.argsort(-along, kind="stable")[: 4 * self.sparsity]
        kept = np.zeros_like(theta)
        kept[support] = _least_squares(
            features[np.ix_(arms, support)], queries.ask(arms, self.trials)
        )
        return Choice(int((features @ kept).argmax()), queries.count - before)


@dataclass(frozen=True)
class PhasedElimination:
    """Halves, from phase to phase, the gap at which arms are given up, by optimal designs.

    Each phase spreads its trials over the arms left by a G-optimal design, fits a dense linear
    model, and gives up arms whose prediction is more than twice the phase's precision short of the
    best (Lattimore & Szepesvári, "Bandit algorithms", 2020, chapter 22).

    Args:
        first, last: the precision of the first phase, and at least that of the last. With both
            alike there is one phase: a design, a fit, and the arm of the largest prediction.
        failure: the probability with which an estimate may be off by more than the precision.
    """

    first: float = 0.5
    last: float = 0.0625
    failure: float = 0.05

    def identify(self, queries: Queries) -> Choice:
        """Name an arm."""
        before, features = queries.count, queries.features
        left, best = np.arange(len(features)), 0
        for phase in range(1, 2 + math.ceil(math.log2(self.first / self.last))):
            rows, precision = features[left], self.first * 2.0 ** (1 - phase)
            weights = optimal_design(rows)
            rank = int(np.linalg.matrix_rank(rows))
            log_term = math.log(len(features) * phase * (phase + 1) / self.failure)
            trials = np.ceil(2 * rank * weights / precision**2 * log_term).astype(np.int64)
            chosen = np.flatnonzero(trials)
            paid = queries.ask(left[chosen], trials[chosen])
            predictions = rows @ _least_squares(rows[chosen], paid, trials[chosen])
            best = int(left[predictions.argmax()])
            left = left[predictions >= predictions.max() - 2 * precision]
            if len(left) == 1:
                break
        return Choice(best, queries.count - before)


def optimal_design(features: Array, iterations: int = 200) -> Array:
    """Weights (arms,) of a nearly G-optimal design, by Frank & Wolfe's algorithm.

    They sum to 1, and keep the largest variance max_a a' V⁻¹ a, V being the weighted sum of a a',
    within twice its least, the rank of the features.

    Args:
        features: (arms, dimension).
        iterations: at most.
    """
    basis = np.linalg.svd(features, full_matrices=False)
    rank = int((basis[1] > 1e-9 * basis[1][0]).sum())
    rows = features if rank == features.shape[1] else features @ basis[2][:rank].T
    weights = np.zeros(len(rows))
    weights[_spanning_rows(rows)] = 1 / rank
    inverse = np.linalg.inv(rows.T @ (weights[:, None] * rows))
    variances = np.einsum("ai,ij,aj->a", rows, inverse, rows)
    for _ in range(iterations):
        arm = int(variances.argmax())
        worst = variances[arm]
        if worst <= 2 * rank:
            break
        step = (worst / rank - 1) / (worst - 1)
        weights *= 1 - step
        weights[arm] += step
        # V becomes (1 − step) V + step a a': its inverse by Sherman & Morrison.
        along = inverse @ rows[arm]
        factor = step / (1 - step + step * worst)
        variances = (variances - factor * (rows @ along) ** 2) / (1 - step)
        inverse = (inverse - factor * np.outer(along, along)) / (1 - step)
    return weights


def _spanning_rows(rows: Array) -> list[int]:
    """As many rows as there are columns, each the longest beside those before it, or the first."""
    rest, found = rows.copy(), []
    for _ in range(rows.shape[1]):
        arm = int((rest**2).sum(axis=1).round(6).argmax())
        direction = rest[arm] / np.linalg.norm(rest[arm])
        rest -= np.outer(rest @ direction, direction)
        found.append(arm)
    return found


def hard_instance(
    dimension: int, epsilon: float, *, decoys: int = 200, noise: float = 0.1, seed: int = 0
) -> LinearBandit:
    """A bandit of 2-sparse parameters whose errors mislead dense models.

    Arms are the signed axes, all vectors (±1, ±1)/√2 of two entries, and `decoys` dense ones along
    the signs of the errors, a tenth of their signs flipped. On the sparse arms the errors are those
    of the wrong parameters θ + εσ, under which decoys promise up to ε√dimension more than they pay.
    """
    rng = np.random.default_rng(seed)
    axes = np.eye(dimension)
    first, second = np.triu_indices(dimension, 1)
    pairs = [
        (a * axes[first] + b * axes[second]) / math.sqrt(2) for a, b in product((1, -1), repeat=2)
    ]
    signs = rng.choice([-1.0, 1.0], dimension)
    flips = np.where(rng.random((decoys, dimension)) < 0.1, -1, 1)
    features = np.concatenate([axes, -axes, *pairs, signs * flips / math.sqrt(dimension)])
    theta = np.zeros(dimension)
    angle = rng.uniform(0, 2 * math.pi)
    theta[rng.choice(dimension, 2, replace=False)] = math.cos(angle), math.sin(angle)
    errors = np.clip(epsilon * features @ signs, -epsilon, epsilon)
    return LinearBandit(
        features=features, theta=theta, misspecification=epsilon, error=errors, noise=noise
    )


def _least_squares(rows: Array, values: Array, weights: Array | float = 1.0) -> Array:
    root = np.sqrt(np.broadcast_to(weights, values.shape))
    return np.linalg.lstsq(rows * root[:, None], values * root, rcond=None)[0]
