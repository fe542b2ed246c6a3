"""What learns: a policy's optimiser, fed with minibatches of rollouts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...core.distributed import World
from ...core.optimizer import FlatOptimizer
from ..imitation.sft import imitation_loss
from ..models.lengths import logits_of, uneven
from ..models.model import LanguageModel
from ..models.token_sets import within
from ..rollout import Rollout
from .config import Config
from .minibatch import Minibatch
from .terms.selection import mean_over
from .terms.slots import Terms, touched


class Learner:
    """Improves a policy on rollouts.

    Args:
        model: the policy.
        config: how it learns.
        terms: what its loss is made of.
        generator: of the order of minibatches.
        world: the processes that learn together, all from the same rollouts: each passes its share
            of every minibatch through the network.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: Config,
        terms: Terms,
        generator: torch.Generator,
        world: World,
    ):
        self.model, self.config, self.terms = model, config, terms
        self.generator, self.world = generator, world
        self.begin()

    def begin(self) -> None:
        """Learn with an optimiser that has no memory."""
        config = self.config
        self.optimizer = FlatOptimizer(
            self.model.trained,
            "adam",
            config.learning_rate,
            config.max_grad_norm,
            eps=1e-8,
            world=self.world,
        )

    def minibatches(self, n: int) -> tuple[Tensor, ...]:
        """The parts of a pass over n rows."""
        return torch.randperm(n, generator=self.generator).chunk(self.config.num_minibatches)

    def imitate(self, tokens: Tensor, imitated: Tensor, updates: int) -> float:
        """One pass of imitation; the mean loss.

        Args:
            tokens, imitated: see `sft.imitation_loss`.
            updates: how many there were before.
        """
        config, losses = self.config, []
        for i, index in enumerate(self.minibatches(len(tokens))):
            done = updates * config.num_minibatches + i + 1
            warm = min(1.0, done / config.sft_warmup)
            self.optimizer.set_learning_rate(config.sft_learning_rate * warm)
            ours = self.world.rows(len(index))
            # Who has nothing reads something all the same, for a gradient of 0.
            read = index[ours if len(ours) else slice(1)]
            device, count = self.model.device, imitated[index].sum()
            some = tokens[read].to(device), imitated[read].to(device) & (len(ours) > 0)
            loss = imitation_loss(self.model, *some, count.to(device))
            self.optimizer.step(loss)
            losses.append(self.world.sum(loss.detach()).item())
        return sum(losses) / len(losses)

    def improve(
        self, rollout: Rollout, advantages: Tensor, rows: Tensor, measured: bool
    ) -> dict[str, float]:
        """Policy gradient on some sequences of a rollout, if there are any.

        Args:
            rollout: the policy's episodes.
            advantages: (n, T), 0 for tokens that are not generated.
            rows: (m,), the sequences to learn from.
            measured: whether to find out each term's share of the gradient, on the last minibatch.

        Returns:
            Means over all minibatches.
        """
        config, figures, shares = self.config, [], []
        gradients: dict[str, float] = {}
        if not len(rows):
            return {}
        passes = [some for _ in range(config.epochs) for some in self.minibatches(len(rows))]
        for number, some in enumerate(passes, 1):
            batch = self.minibatch(rollout, advantages, rows[some])
            stages = self.terms.losses(batch)
            shares.append(touched(stages, batch))
            if measured and number == len(passes):
                gradients = self._gradients(stages, batch)
            loss = self.terms.aggregation(stages[-1][1], batch.generated)
            self.optimizer.step(loss)
            with torch.no_grad():
                log_ratio = batch.log_probs - batch.old
                kl = log_ratio.exp() - 1 - log_ratio
                means = [mean_over(x, batch.generated) for x in (batch.entropies, kl)]
                # They stay on the device, so that it need not be waited for.
                figures.append(torch.stack([loss, *means]))
        names = ("policy_loss", "entropy", "approx_kl")
        told = [
            dict(zip(names, figure, strict=True)) | share
            for figure, share in zip(torch.stack(figures).tolist(), shares, strict=True)
        ]
        return {name: sum(f[name] for f in told) / len(told) for name in told[0]} | gradients

    def _gradients(
        self, stages: Sequence[tuple[str, Tensor]], batch: Minibatch
    ) -> dict[str, float]:
        """The norm of the gradient of what each term adds, over that of all of them together."""
        parameters = [p for p in self.model.trained.parameters() if p.requires_grad]
        before, parts = torch.zeros_like(stages[0][1]), []
        for _, losses in stages:
            # Aggregations are linear, so that these add up to the gradient of the loss.
            added = self.terms.aggregation(losses - before, batch.generated)
            before = losses
            found = torch.autograd.grad(
                added, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            parts.append(self.world.sum(torch.cat([g.flatten() for g in found])))
        whole = sum(parts[1:], parts[0]).norm().clamp(min=1e-12)
        return {
            f"{name}_gradient": float(part.norm() / whole)
            for (name, _), part in zip(stages, parts, strict=True)
        }

    def minibatch(self, rollout: Rollout, advantages: Tensor, rows: Tensor) -> Minibatch:
        """Some sequences, with how the policy sees them now.

        Args:
            rollout, advantages: see `improve`.
            rows: (n,), the sequences.
        """
        device, ends = self.model.device, rollout.ends[rows].clamp(min=2)
        if uneven(ends):
            ends, order = ends.sort()
            rows = rows[order]
        # What follows the last generated token teaches nothing.
        width = int(ends.max())

        def part(values: Tensor) -> Tensor:
            return values[rows, :width].to(device)

        tokens, reference = part(rollout.tokens), rollout.reference
        weights = (part(rollout.log_probs) - part(rollout.drawn)).exp()
        own = None
        if self.world.size == 1:
            logits = logits_of(self.model, tokens, ends, self.config.temperature)
        else:
            own = self.world.rows(len(rows))
            own = own[ends[own].argsort(stable=True)]
            read = own if len(own) else torch.arange(1)
            logits = logits_of(self.model, tokens[read], ends[read], self.config.temperature)
            logits = logits[: len(own)]
        if rollout.allowed is not None:
            ours = rows if own is None else rows[own]
            logits = within(logits, rollout.allowed.rows(ours, width).to(device))
        batch = Minibatch(
            tokens=tokens,
            generated=part(rollout.generated),
            old=part(rollout.log_probs),
            advantages=part(advantages),
            weights=weights.clamp(max=self.config.importance_cap),
            reference=None if reference is None else part(reference),
            logits=logits,
            own=own if own is None else own.to(device),
            world=self.world,
        )
        if rollout.imitated is None:
            return batch
        alone = rollout.imitated[rows, None].to(device)
        # A ratio of 1 with a gradient: what is left is that of the log-probability.
        old = torch.where(alone, batch.log_probs.detach(), batch.old)
        return replace(batch, old=old, weights=batch.weights.masked_fill(alone, 1.0))

    @torch.no_grad()
    def over(self, rollout: Rollout, figure: Callable[[Tensor], Tensor]) -> Tensor:
        """What a model makes of all sequences, in as many parts as there are minibatches.

        Args:
            rollout: the sequences.
            figure: of tokens (k, T), with k as the first axis.
        """
        n = len(rollout.tokens)
        ours = self.world.rows(n)
        parts = rollout.tokens[ours].chunk(self.config.num_minibatches)
        found = torch.cat([figure(part.to(self.model.device)).cpu() for part in parts])
        return found if self.world.size == 1 else self.world.merge(ours, found, n)
