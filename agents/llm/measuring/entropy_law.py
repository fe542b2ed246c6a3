"""The law that links a policy's entropy to its reward while it is trained (Cui et al. 2025).

"The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models": reward is bought
with entropy, so the first steps foretell the last.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ....envs.kernel.errors import InvalidArgumentError
from .measure import check_numbers


@dataclass(frozen=True)
class EntropyLaw:
    """The law R = −a · exp(H) + b between a policy's entropy H and its reward R (Cui et al. 2025).

    Attributes:
        a: how much reward a unit of exp(H) costs.
        b: reward at exp(H) = 0; no policy reaches it, as `ceiling` is at H = 0.
        r_squared: share of the rewards' variance that the fit explains; NaN if they do not vary.
    """

    a: float
    b: float
    r_squared: float

    @property
    def ceiling(self) -> float:
        """The reward once all entropy is spent, −a + b."""
        return self.predict(0.0)

    def predict(self, entropy: Any) -> Any:
        """The reward at an entropy (nats), a number or an array."""
        return self.b - self.a * np.exp(entropy)


class EntropyForecast(NamedTuple):
    """How well the first steps of training foretell the reward of the last.

    Attributes:
        law: fitted to the first steps.
        predicted: the mean reward that the law expects at the last steps' entropies.
        actual: the last steps' mean reward.
    """

    law: EntropyLaw
    predicted: float
    actual: float

    @property
    def error(self) -> float:
        """Predicted minus actual."""
        return self.predicted - self.actual


def fit_entropy_law(entropies: Any, rewards: Any) -> EntropyLaw:
    """Fit R = −a · exp(H) + b by least squares, which is linear in exp(H).

    Args:
        entropies: (steps,) mean token entropy (nats), at least three steps.
        rewards: (steps,) mean reward, or validation accuracy.

    Raises:
        InvalidArgumentError: the arrays differ in length, are shorter or not finite, or the entropy
            never changes.
    """
    x = np.exp(check_numbers(entropies, "entropies", least=3))
    y = check_numbers(rewards, "rewards", least=3)
    if len(x) != len(y):
        raise InvalidArgumentError(f"{len(x)} entropies came with {len(y)} rewards")
    dx, dy = x - x.mean(), y - y.mean()
    if not dx.any():
        raise InvalidArgumentError("the entropy must change for a law to be fitted")
    slope = (dx @ dy) / (dx @ dx)
    unexplained, variation = ((dy - slope * dx) ** 2).sum(), (dy**2).sum()
    r_squared = float(1 - unexplained / variation) if variation else math.nan
    return EntropyLaw(float(-slope), float(y.mean() - slope * x.mean()), r_squared)


def forecast_reward(entropies: Any, rewards: Any, fraction: float = 0.4) -> EntropyForecast:
    """Fit the law to the first steps and predict the reward of the last tenth from its entropy.

    Args:
        entropies: (steps,), as in `fit_entropy_law`.
        rewards: (steps,).
        fraction: of the steps, on which the law is fitted; in (0, 0.9].

    Raises:
        InvalidArgumentError: see `fit_entropy_law`, of the first steps; or the fraction is outside.
    """
    if not 0 < fraction <= 0.9:
        raise InvalidArgumentError(f"fraction must be in (0, 0.9]; got {fraction}")
    x = check_numbers(entropies, "entropies", least=3)
    y = check_numbers(rewards, "rewards", least=3)
    first, last = round(fraction * len(x)), max(1, len(x) // 10)
    law = fit_entropy_law(x[:first], y[:first])
    return EntropyForecast(law, float(law.predict(x[-last:]).mean()), float(y[-last:].mean()))
