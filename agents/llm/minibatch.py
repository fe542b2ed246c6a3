"""What a policy loss looks at: some sequences of a rollout, and how the policy sees them now."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Minibatch:
    """n sequences of T tokens, padded on the right; only the logits carry a gradient.

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
            token t + 1.
    """

    tokens: Tensor
    generated: Tensor
    old: Tensor
    advantages: Tensor
    weights: Tensor
    reference: Tensor | None
    logits: Tensor

    @cached_property
    def log_policy(self) -> Tensor:
        """Log-probabilities (n, T − 1, vocabulary) of all that each token could have been."""
        return self.logits.float().log_softmax(-1)

    @cached_property
    def log_probs(self) -> Tensor:
        """The tokens' log-probabilities now, (n, T), with a gradient; the first column is 0."""
        return pad(self.log_policy.gather(-1, self.tokens[:, 1:, None]).squeeze(-1), (1, 0))

    @cached_property
    def entropies(self) -> Tensor:
        """The entropy (nats) of each token's distribution now, (n, T), with a gradient."""
        return pad(-(self.log_policy.exp() * self.log_policy).sum(-1), (1, 0))

    @cached_property
    def ratio(self) -> Tensor:
        """Probability now over probability when the rollout was made, (n, T)."""
        return (self.log_probs - self.old).exp()
