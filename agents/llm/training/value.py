"""A critic: a head on the policy's last hidden states that says what is still to be expected.

It learns apart from the policy, with an optimiser of its own, and no gradient goes on into the
policy: a network that both share can harm the policy (Stiennon et al. 2020, "Learning to summarize
from human feedback", who train a separate one).
"""

import torch
from torch import Tensor, nn

from ...core.optimizer import FlatOptimizer
from ...core.torch_state import pack_tensors, unpack_tensors
from ...core.trainer import Arrays
from ..rollout import Rollout
from .config import Config


class Critic:
    """Values of what a policy has read and written so far.

    All of them are 0 at first.

    Args:
        width: of the hidden states.
        config: size and learning of the head.
        seed: of its parameters.
        device: where they live.
    """

    def __init__(self, width: int, config: Config, seed: int, device: torch.device):
        self.config, self.device = config, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            last = nn.Linear(config.value_size, 1)
            head = nn.Sequential(nn.Linear(width, config.value_size), nn.Tanh(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = head.to(device)
        self.optimizer = FlatOptimizer(
            self.head, "adam", config.value_learning_rate, config.max_grad_norm, eps=1e-8
        )

    @torch.no_grad()
    def values(self, rollout: Rollout, ends: Tensor) -> Tensor:
        """The values of the beginnings of all sequences, by their lengths.

        Args:
            rollout: the sequences, with the policy's hidden states.
            ends: the tokens that end an answer: where one was cut, nothing is to be expected.

        Returns:
            (n, T + 1), 0 where a beginning comes neither before a generated token nor after a turn.
        """
        assert rollout.hidden is not None
        looked = looked_at(rollout)
        values = torch.zeros(looked.shape)
        hidden = rollout.hidden[looked[:, 1:]].to(self.device)
        values[looked] = self.head(hidden).squeeze(-1).cpu()
        after = looked[:, 1:].clone()
        after[:, :-1] &= ~rollout.generated[:, 1:]
        values[:, 1:][after & ~torch.isin(rollout.tokens, ends.cpu())] = 0.0
        return values

    def learn(
        self, rollout: Rollout, targets: Tensor, generator: torch.Generator
    ) -> dict[str, float]:
        """Come nearer to targets, in as many passes and minibatches as the policy has.

        The loss is (V − target)² / 2, with `value_clip` the greater of that and the same for a V
        that has moved no further than that (Schulman et al. 2017).

        Args:
            rollout: the sequences, with hidden states and values.
            targets: (n, T + 1), NaN where there is none.
            generator: of the order.

        Returns:
            `value_loss`, and `explained_variance`, the part of the targets' variance that the
            values explained beforehand.
        """
        config, losses = self.config, []
        assert rollout.hidden is not None
        assert rollout.values is not None
        known = targets.isfinite()
        known[:, 0] = False  # there is no state before anything was read
        features, before = rollout.hidden[known[:, 1:]], rollout.values[known]
        wanted = targets[known]
        for _ in range(config.epochs):
            order = torch.randperm(len(wanted), generator=generator)
            for index in order.chunk(config.num_minibatches):
                now = self.head(features[index].to(self.device)).squeeze(-1)
                goal, old = wanted[index].to(self.device), before[index].to(self.device)
                loss = (now - goal).square()
                if (clip := config.value_clip) is not None:
                    moved = old + (now - old).clamp(-clip, clip)
                    loss = torch.maximum(loss, (moved - goal).square())
                loss = loss.mean() / 2
                self.optimizer.step(loss)
                losses.append(loss.item())
        left = (wanted - before).var(correction=0) / wanted.var(correction=0).clamp(min=1e-12)
        return {"value_loss": sum(losses) / len(losses), "explained_variance": 1 - float(left)}

    def state(self) -> Arrays:
        """Arrays from which `load_state` goes on exactly."""
        return {
            **pack_tensors("critic", self.head.state_dict()),
            **pack_tensors("critic_optimizer", self.optimizer.state()),
        }

    def load_state(self, arrays: Arrays) -> None:
        """Put back what `state` took."""
        self.head.load_state_dict(unpack_tensors("critic", arrays))
        self.optimizer.load_state(unpack_tensors("critic_optimizer", arrays))


def looked_at(rollout: Rollout) -> Tensor:
    """The beginnings, by length, that come before a generated token or after one, (n, T + 1)."""
    generated, none = rollout.generated, torch.zeros(len(rollout.tokens), 1, dtype=torch.bool)
    looked = torch.cat((generated, none), 1) | torch.cat((none, generated), 1)
    looked[:, 0] = False
    return looked
