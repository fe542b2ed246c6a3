"""Advantage actor-critic, as a setting of PPO.

Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", in its synchronous form.
With one pass over the experience, taken whole, PPO's ratio is 1 and its clip never reached: what is
left is A2C (Huang et al. 2022, "A2C is a special case of PPO").
"""

from dataclasses import dataclass

from ..core.optimizer import OptimizerKind
from . import ppo


@dataclass(frozen=True)
class Config(ppo.Config):
    """Hyperparameters of A2C: PPO's, with other defaults."""

    num_steps: int = 5
    epochs: int = 1
    num_minibatches: int = 1
    optimizer: OptimizerKind = "rmsprop"
    learning_rate: float = 7e-4
    lam: float = 1.0
    normalize_advantages: bool = False


class A2C(ppo.PPO):
    """A2C over a batch of environments; see the module."""

    default_num_envs = 64
