"""Neural-linear: Thompson sampling on the last layer of a network (Riquelme et al. 2018)."""

import math
from typing import Any

import numpy as np
import torch

from ...envs.kernel import UnsupportedFaceError
from ..core.agent import Agent


class NeuralLinear(Agent):
    """Learns features with a network, and is Bayesian about a linear function of them.

    The rewards seen are regressed on the chosen features (where each arm has its own) or on the
    context (with an output for each arm). Every so often the network goes on training on all that
    was seen; its last hidden layer then feeds a Bayesian linear regression, exact in between, whose
    posterior is sampled as in `LinTS`. From Riquelme, Tucker & Snoek, "Deep Bayesian bandits
    showdown", ICLR (2018). Each lane has a network of its own.

    Args:
        width: of the two hidden layers.
        every: rounds between trainings.
        steps: of Adam in each training, on minibatches of 64 rounds.
        learning_rate: of Adam.
        spread: the deviation of the rewards' noise, which scales the posterior.
        ridge: the regularisation of the regression.
    """

    def __init__(
        self,
        width: int = 32,
        every: int = 50,
        steps: int = 100,
        learning_rate: float = 0.01,
        spread: float = 0.1,
        ridge: float = 0.1,
    ):
        self.width, self.every, self.steps = width, every, steps
        self.learning_rate, self.spread, self.ridge = learning_rate, spread, ridge

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        shape = getattr(env.single_observation_space, "shape", None) or ()
        if len(shape) not in (1, 2) or not hasattr(env.prototype, "dimension"):
            raise UnsupportedFaceError(
                "NeuralLinear needs an environment that shows feature vectors, such as "
                "ContextualBandit or LinearBandit"
            )
        n, d, w = env.num_envs, env.prototype.dimension, self.width
        self._rows = len(shape) == 2
        self._groups = 1 if self._rows else int(env.single_action_space.n)
        self._torch = torch.Generator().manual_seed(seed)
        self._lanes = torch.arange(n)
        self._rounds, self._clock = torch.zeros(n, dtype=torch.long), 0
        self._inputs = torch.zeros(n, env.prototype.horizon, d)
        self._taken = torch.zeros(n, env.prototype.horizon, dtype=torch.long)
        self._rewards = torch.zeros(n, env.prototype.horizon)
        sizes = [(d, w), (1, w), (w, w), (1, w), (w, self._groups)]
        self._weights = [torch.zeros(n, *size) for size in sizes]
        self._precision = torch.zeros(n, self._groups, w, w, dtype=torch.float64)
        self._moment = torch.zeros(n, self._groups, w, dtype=torch.float64)
        self._forget(torch.ones(n, dtype=torch.bool))

    @torch.no_grad()
    def act(self, observations: Any, infos: dict[str, Any]) -> np.ndarray:
        d = self._inputs.shape[2]
        self._shown = torch.as_tensor(np.array(observations[..., :d]))
        inputs = self._shown if self._rows else self._shown[:, None]
        features = self._features(inputs).double()
        factor = torch.linalg.cholesky(self._precision)
        middle = torch.cholesky_solve(self._moment[..., None], factor)
        noise = torch.randn(middle.shape, generator=self._torch, dtype=torch.float64)
        spread = torch.linalg.solve_triangular(factor.mT, noise, upper=True)
        theta = (middle + self.spread * spread)[..., 0]
        return (features @ theta.mT).flatten(1).argmax(dim=1).numpy()

    def update(self, actions: Any, rewards: np.ndarray, ended: np.ndarray) -> None:
        action = torch.as_tensor(np.array(actions))
        inputs = self._shown[self._lanes, action] if self._rows else self._shown
        place = self._lanes, self._rounds
        self._inputs[place] = inputs
        self._taken[place] = torch.zeros_like(action) if self._rows else action
        self._rewards[place] = torch.as_tensor(rewards.copy())
        with torch.no_grad():
            features = self._features(inputs[:, None])[:, 0].double()
        self._note(features[:, None], self._taken[place][:, None], self._rewards[place][:, None])
        self._rounds += 1
        self._clock += 1
        if ended.any():
            self._forget(torch.as_tensor(ended.copy()))
        if self._clock % self.every == 0 and bool((self._rounds > 0).any()):
            self._train()

    def _features(self, inputs: torch.Tensor) -> torch.Tensor:
        """The last hidden layer, (n, k, width), of inputs (n, k, dimension)."""
        first, first_bias, second, second_bias, _ = self._weights
        hidden = torch.tanh(inputs @ first + first_bias)
        return torch.tanh(hidden @ second + second_bias)

    def _train(self) -> None:
        """Go on training the networks, and feed the regressions anew."""
        for weight in self._weights:
            weight.requires_grad_()
        optimizer = torch.optim.Adam(self._weights, self.learning_rate)
        lanes = self._lanes[:, None]
        for _ in range(self.steps):
            draws = torch.rand(len(lanes), 64, generator=self._torch)
            batch = lanes, (draws * self._rounds[:, None]).long()
            outputs = self._features(self._inputs[batch]) @ self._weights[-1]
            predicted = outputs.gather(2, self._taken[batch][..., None])[..., 0]
            # Summed over lanes, so that each learns as if it were alone.
            loss = ((predicted - self._rewards[batch]) ** 2).mean(dim=1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)
        self._clear(torch.ones_like(self._rounds, dtype=torch.bool))
        most = int(self._rounds.max())
        known = torch.arange(most) < self._rounds[:, None]
        features = self._features(self._inputs[:, :most]).double() * known[..., None]
        self._note(features, self._taken[:, :most], self._rewards[:, :most])

    def _note(self, features: torch.Tensor, taken: torch.Tensor, rewards: torch.Tensor) -> None:
        """Add rounds to the regressions: features (n, k, width), groups and rewards (n, k)."""
        for group in range(self._groups):
            own = features * (taken == group)[..., None]
            self._precision[:, group] += own.mT @ features
            self._moment[:, group] += (own * rewards[..., None]).sum(dim=1)

    def _clear(self, chosen: torch.Tensor) -> None:
        """Empty the regressions of the chosen lanes."""
        self._precision[chosen] = self.ridge * torch.eye(self.width, dtype=torch.float64)
        self._moment[chosen] = 0.0

    def _forget(self, chosen: torch.Tensor) -> None:
        """Begin anew in the chosen lanes."""
        self._rounds[chosen] = 0
        self._clear(chosen)
        for weight in self._weights:
            bound = 1 / math.sqrt(weight.shape[1]) if weight.shape[1] > 1 else 0.1
            drawn = torch.rand(weight.shape, generator=self._torch) * 2 - 1
            weight[chosen] = drawn[chosen] * bound
