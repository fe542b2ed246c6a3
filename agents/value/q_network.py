"""Action values: networks, what they say of a return, and the agent that acts by them."""

import math
from abc import abstractmethod
from typing import Any, Literal

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from ...envs.kernel.errors import InvalidArgumentError
from ..core import networks
from ..core.agent import Agent
from ..core.features import flatten_observations, orthogonal

#: What is learned of a return: its mean only, or its distribution as C51 or QR-DQN have it.
DistributionKind = Literal["none", "categorical", "quantile"]


class Return(nn.Module):
    """What the outputs of a network say of the return of an action.

    Attributes:
        atoms: how many outputs an action has.
    """

    atoms: int

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """The expected return (…) of outputs (…, atoms)."""

    @abstractmethod
    def losses(
        self, outputs: Tensor, returns: Tensor, discounts: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How far outputs are from their targets.

        Args:
            outputs: (k, atoms), of the actions taken.
            returns: (k,), the rewards on the way to the next observation.
            discounts: (k,), of what follows there.
            following: (k, atoms), the outputs there.

        Returns:
            Losses (k,), and errors (k,) to sample by, which are not negative and have no gradient.
        """


class ExpectedReturn(Return):
    """The mean of the return, with the Huber loss (Mnih et al. 2015)."""

    atoms = 1

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.squeeze(-1)

    def losses(
        self, outputs: Tensor, returns: Tensor, discounts: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        targets = returns + discounts * following.squeeze(-1)
        values = outputs.squeeze(-1)
        losses = functional.smooth_l1_loss(values, targets, reduction="none")
        return losses, (values.detach() - targets).abs()


class CategoricalReturn(Return):
    """The probabilities of evenly spaced returns, as logits: C51.

    Bellemare et al. 2017, "A distributional perspective on reinforcement learning". The loss is the
    Kullback-Leibler divergence from the projected target, which is the error to sample by, too
    (Hessel et al. 2018, "Rainbow").

    Args:
        atoms: how many returns.
        v_min: the least of them.
        v_max: the greatest.

    Raises:
        InvalidArgumentError: there are less than two, or they do not ascend.
    """

    support: Tensor

    def __init__(self, atoms: int, v_min: float, v_max: float):
        super().__init__()
        if atoms < 2 or not v_min < v_max:
            raise InvalidArgumentError(
                "a categorical distribution has at least 2 atoms from v_min to a greater v_max; "
                f"got atoms={atoms!r}, v_min={v_min!r}, v_max={v_max!r}"
            )
        self.atoms = atoms
        self.register_buffer("support", torch.linspace(v_min, v_max, atoms), persistent=False)
        self._least, self._step = v_min, (v_max - v_min) / (atoms - 1)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(-1) @ self.support

    def losses(
        self, outputs: Tensor, returns: Tensor, discounts: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        targets = self.project(returns, discounts, following.softmax(-1))
        log_probs = outputs.log_softmax(-1)
        losses = functional.kl_div(log_probs, targets, reduction="none").sum(-1)
        return losses, losses.detach().clamp(min=0)

    def project(self, returns: Tensor, discounts: Tensor, probs: Tensor) -> Tensor:
        """Probabilities (k, atoms) of the returns that follow, moved and shared out to the atoms.

        Each return r + γz is clipped to the support; its probability goes to the atoms on both
        sides in proportion to its nearness (Bellemare et al. 2017, algorithm 1).
        """
        moved = returns[:, None] + discounts[:, None] * self.support
        place = ((moved - self._least) / self._step).clamp(0, self.atoms - 1)
        lower = place.floor().clamp(max=self.atoms - 2)
        above = place - lower
        index = lower.long()
        shares = torch.zeros_like(probs).scatter_add_(1, index, probs * (1 - above))
        return shares.scatter_add_(1, index + 1, probs * above)


class QuantileReturn(Return):
    """Evenly spaced quantiles of the return: QR-DQN.

    Dabney et al. 2018, "Distributional reinforcement learning with quantile regression", with the
    quantile Huber loss and κ = 1. The loss is the error to sample by, too.

    Args:
        atoms: how many quantiles.

    Raises:
        InvalidArgumentError: there are none.
    """

    levels: Tensor

    def __init__(self, atoms: int):
        super().__init__()
        if atoms < 1:
            raise InvalidArgumentError(f"there must be at least one quantile; got atoms={atoms!r}")
        self.atoms = atoms
        levels = (torch.arange(atoms) + 0.5) / atoms
        self.register_buffer("levels", levels, persistent=False)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.mean(-1)

    def losses(
        self, outputs: Tensor, returns: Tensor, discounts: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        targets = returns[:, None] + discounts[:, None] * following
        shape = (-1, self.atoms, self.atoms)  # (k, quantiles, targets)
        ours, theirs = outputs[:, :, None].expand(shape), targets[:, None, :].expand(shape)
        huber = functional.huber_loss(ours, theirs, reduction="none")
        levels = self.levels[:, None]
        weights = torch.where(theirs < ours, 1 - levels, levels)
        losses = (weights * huber).mean(2).sum(1)
        return losses, losses.detach()


def make_return(kind: DistributionKind, atoms: int, v_min: float, v_max: float) -> Return:
    """What is learned of a return; see `ExpectedReturn` and its sisters.

    Raises:
        InvalidArgumentError: there is no such kind, or the arguments do not fit it.
    """
    if kind == "none":
        return ExpectedReturn()
    if kind == "categorical":
        return CategoricalReturn(atoms, v_min, v_max)
    if kind == "quantile":
        return QuantileReturn(atoms)
    raise InvalidArgumentError(
        f"the distribution must be none, categorical or quantile; got {kind!r}"
    )


class NoisyLinear(nn.Module):
    """A linear layer whose weights carry learned amounts of noise.

    Fortunato et al. 2018, "Noisy networks for exploration", with factorised Gaussian noise. In
    training mode `draw` comes before the first pass; in evaluation mode there is no noise.

    Args:
        inputs: width of what comes in.
        outputs: width of what goes out.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.mean = nn.Linear(inputs, outputs)
        nn.init.uniform_(self.mean.weight, -bound, bound)
        nn.init.uniform_(self.mean.bias, -bound, bound)
        self.deviation = nn.Linear(inputs, outputs)
        nn.init.constant_(self.deviation.weight, 0.5 * bound)
        nn.init.constant_(self.deviation.bias, 0.5 * bound)

    def draw(self, rows: int, generator: torch.Generator) -> None:
        """Draw new noise: one for each of the rows of the next pass, or for 1, the same for all."""
        shape = (rows, self.mean.in_features + self.mean.out_features)
        noise = torch.randn(shape, generator=generator, device=self.mean.weight.device)
        noise = noise.sign() * noise.abs().sqrt()
        self._of_inputs = noise[:, : self.mean.in_features]
        self._of_outputs = noise[:, self.mean.in_features :]

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, outputs)."""
        if not self.training:
            return self.mean(x)
        # A weight's noise is the product of that of its input and its output.
        bias = self.deviation.bias
        noisy = functional.linear(x * self._of_inputs, self.deviation.weight, bias)
        return self.mean(x) + noisy * self._of_outputs


class QNetwork(nn.Module):
    """Returns of all actions, from observations.

    The head is one linear layer. A dueling or noisy head has a hidden layer before it, as wide as
    the last of the torso; a dueling one has two such streams, of the state's value and of the
    advantages of actions, whose mean is taken off (Wang et al. 2016, "Dueling network architectures
    for deep reinforcement learning", equation 9).

    Args:
        observation_space: of one environment.
        n_actions: the number of actions.
        learned: what is learned of a return.
        network: the kind of torso; see `networks.torso`.
        hidden: widths of its layers.
        activation: follows each of them.
        dueling: whether the head is dueling.
        noisy: whether its layers are noisy.

    Raises:
        InvalidArgumentError: for wrong arguments.
        UnsupportedFaceError: no network reads the observations.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        n_actions: int,
        learned: Return,
        *,
        network: networks.NetworkKind = "auto",
        hidden: tuple[int, ...] = (128, 128),
        activation: networks.Activation = "relu",
        dueling: bool = False,
        noisy: bool = False,
    ):
        super().__init__()
        self.torso = networks.torso(observation_space, network, hidden, activation)
        self.learned, self.n_actions = learned, n_actions
        width = self.torso.width

        def stream(outputs: int) -> nn.Module:
            if noisy:
                return nn.Sequential(
                    NoisyLinear(width, width), nn.ReLU(), NoisyLinear(width, outputs)
                )
            last = orthogonal(width, outputs, gain=1.0)
            if not dueling:
                return last
            return nn.Sequential(orthogonal(width, width, math.sqrt(2)), nn.ReLU(), last)

        self.advantages = stream(n_actions * learned.atoms)
        self.value = stream(learned.atoms) if dueling else None
        self._noisy = [layer for layer in self.modules() if isinstance(layer, NoisyLinear)]

    def outputs(self, rows: Tensor) -> Tensor:
        """(n, actions, atoms) outputs for raw observation rows (n, width); see `Return`."""
        features = self.torso(rows)
        outputs = self.advantages(features).unflatten(1, (self.n_actions, -1))
        if self.value is not None:
            outputs = outputs - outputs.mean(1, keepdim=True) + self.value(features)[:, None]
        return outputs

    def forward(self, rows: Tensor) -> Tensor:
        """(n, actions) values of raw observation rows (n, width)."""
        return self.learned.mean(self.outputs(rows))

    def draw_noise(self, rows: int, generator: torch.Generator) -> None:
        """Draw new noise for all noisy layers; see `NoisyLinear.draw`."""
        for layer in self._noisy:
            layer.draw(rows, generator)


class GreedyAgent(Agent):
    """Takes the legal action of highest value.

    Args:
        network: gives the values (n, actions) of raw observation rows.
    """

    def __init__(self, network: nn.Module):
        self.network = network

    @torch.no_grad()
    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        device = next(self.network.parameters()).device
        values = self.network.eval()(flatten_observations(observations).to(device))
        mask = infos.get("action_mask")
        mask = None if mask is None else torch.as_tensor(mask).to(device, torch.bool)
        return greedy(values, mask).cpu().numpy()


def greedy(values: Tensor, mask: Tensor | None) -> Tensor:
    """The legal actions of highest value, (n,).

    Args:
        values: (n, actions).
        mask: (n, actions) `bool`; None where everything is legal.
    """
    if mask is not None:
        values = values.masked_fill(~mask, -torch.inf)
    return values.argmax(dim=-1)
