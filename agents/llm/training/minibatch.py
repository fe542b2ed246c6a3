"""What a policy loss looks at: some sequences of a rollout, and how the policy sees them now."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.nn.functional import pad

from ...core.distributed import World


@dataclass(frozen=True)
class Minibatch:
    """n sequences of T tokens, padded on the right; only the logits carry a gradient.

    Where several processes learn together, each has all that is known of all sequences, and the
    logits of some. What follows from logits is exchanged, so that every term sees what it would see
    in one process, and a gradient goes back to a process's own logits only: the sum of the
    gradients of all processes is that of one.

    Attributes:
        tokens: (n, T) `int64`.
        generated: (n, T) `bool`, the tokens that the loss counts.
        old: (n, T), the tokens' log-probabilities (nats) under the policy that the rollout was
            made with; 0 for tokens that are not generated.
        advantages: (n, T), 0 for tokens that are not generated.
        weights: (n, T), importance weights of tokens that were drawn at another temperature, 1
            for all others.
        reference: (n, T), log-probabilities under the policy that training began with; None unless
            a term needs them.
        logits: (n, T − 1, vocabulary), of the policy now over its temperature; those at t are of
            token t + 1. If there are `own`, of these alone.
        own: (n',) `int64`, the sequences whose logits are here; None for all.
        world: the processes that have the others; None for none.
    """

    tokens: Tensor
    generated: Tensor
    old: Tensor
    advantages: Tensor
    weights: Tensor
    reference: Tensor | None
    logits: Tensor
    own: Tensor | None = None
    world: World | None = None

    @cached_property
    def log_policy(self) -> Tensor:
        """Log-probabilities (n, T − 1, vocabulary) of all that a generated token could have been.

        0 for given tokens.
        """
        n, width, vocabulary = self.logits.shape
        whole = self._rows.new_zeros(n * width, vocabulary)
        whole = whole.index_copy(0, self._places, self._rows).view(n, width, vocabulary)
        return self._of_all(whole)

    @cached_property
    def log_probs(self) -> Tensor:
        """The tokens' log-probabilities now, (n, T), with a gradient; 0 for given tokens."""
        tokens = self._of_ours(self.tokens)[:, 1:].flatten()[self._places]
        return self._spread(self._rows.gather(-1, tokens[:, None]).squeeze(-1))

    @cached_property
    def entropies(self) -> Tensor:
        """The entropy (nats) of each token's distribution now, (n, T), with a gradient.

        0 for given tokens.
        """
        return self._spread(-(self._rows.exp() * self._rows).sum(-1))

    @cached_property
    def _places(self) -> Tensor:
        """Where the generated tokens are, (m,), of the places that there are logits of."""
        return self._of_ours(self.generated)[:, 1:].flatten().nonzero().squeeze(1)

    @cached_property
    def _rows(self) -> Tensor:
        """The rows (m, vocabulary) of `log_policy` that are of generated tokens."""
        return self.logits.flatten(0, 1).index_select(0, self._places).float().log_softmax(-1)

    def _spread(self, values: Tensor) -> Tensor:
        """Values (m,) of the generated tokens at their places, (n, T)."""
        n, width, _ = self.logits.shape
        whole = values.new_zeros(n * width).index_copy(0, self._places, values)
        return self._of_all(pad(whole.view(n, width), (1, 0)))

    def _of_ours(self, values: Tensor) -> Tensor:
        """The rows that there are logits of."""
        return values if self.own is None else values[self.own]

    def _of_all(self, values: Tensor) -> Tensor:
        """The rows of all processes, from those that there are logits of."""
        if self.own is None or self.world is None:
            return values
        return self.world.merge(self.own, values, len(self.tokens))

    @cached_property
    def ratio(self) -> Tensor:
        """Probability now over probability when the rollout was made, (n, T)."""
        return (self.log_probs - self.old).exp()
