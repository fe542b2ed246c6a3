"""The terms of a training, slot by slot.

A controller, which changes a coefficient by what it measures, is a term too: it keeps the
coefficient in the `memory` of the term that it is for, as `bonus.adaptive_kl_in_reward` does.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from ...rollout import Rollout
from ..minibatch import Minibatch
from .advantage import ADVANTAGES
from .aggregation import AGGREGATIONS
from .bonus import BONUSES
from .editing import EDITORS
from .entropy import REGULARISERS
from .filter import FILTERS
from .loss import LOSSES
from .sampling import SAMPLING
from .shaping import TRANSFORMS
from .specification import Term, read_term
from .starts import STARTS

#: The slots of one term, and those of any number, with what can be put there.
ONE: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "starts": STARTS,
    "sampling": SAMPLING,
    "advantage": ADVANTAGES,
    "loss": LOSSES,
    "aggregation": AGGREGATIONS,
}
MANY: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "editors": EDITORS,
    "bonuses": BONUSES,
    "filters": FILTERS,
    "transforms": TRANSFORMS,
    "regularisers": REGULARISERS,
}


@dataclass(frozen=True)
class Terms:
    """What a policy-gradient update is made of; the fields are named as those of `Config`."""

    starts: Term
    sampling: Term
    editors: tuple[Term, ...]
    bonuses: tuple[Term, ...]
    filters: tuple[Term, ...]
    advantage: Term
    transforms: tuple[Term, ...]
    loss: Term
    regularisers: tuple[Term, ...]
    aggregation: Term

    @classmethod
    def read(cls, config: Any) -> Self:
        """The terms that a configuration names.

        Raises:
            InvalidArgumentError: there is no such term, or it has no such setting.
        """
        one = {slot: read_term(getattr(config, slot), known, slot) for slot, known in ONE.items()}
        many: Any = {
            slot: tuple(read_term(text, known, slot) for text in getattr(config, slot))
            for slot, known in MANY.items()
        }
        return cls(**one, **many)

    @property
    def all(self) -> dict[str, Term]:
        """Every term, by slot and place."""
        found = {slot: getattr(self, slot) for slot in ONE}
        for slot in MANY:
            found |= {f"{slot}.{i}": term for i, term in enumerate(getattr(self, slot))}
        return found

    @property
    def needs(self) -> frozenset[str]:
        """What has to be computed for them; see `specification.needs`."""
        return frozenset().union(*(term.needs for term in self.all.values()))

    def memory(self) -> dict[str, Any]:
        """What all terms remember, plain JSON data."""
        return {place: term.memory for place, term in self.all.items()}

    def load_memory(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned."""
        for place, term in self.all.items():
            term.memory.clear()
            term.memory.update(memory.get(place, {}))  # slots that were added since are empty

    def rewarded(self, rollout: Rollout, weight: float) -> tuple[Tensor, dict[str, float]]:
        """Weighted rewards with all bonuses, (episodes, turns), and each bonus' mean by name."""
        rewards, told = weight * rollout.rewards, {}
        for bonus in self.bonuses:
            extra = bonus(rollout)
            rewards = rewards + extra
            told[f"{bonus.name}_mean"] = float(extra.sum(1).mean())
        return rewards, told

    def kept(self, rollout: Rollout, rewards: Tensor) -> Tensor:
        """The episodes that pass all filters, (episodes,) `bool`."""
        keep = torch.ones(len(rewards), dtype=torch.bool)
        for term in self.filters:
            keep &= term(rollout, rewards.sum(1))
        return keep

    def losses(self, batch: Minibatch) -> list[tuple[str, Tensor]]:
        """The loss of each token, (n, T), after the loss and after each regulariser, by name."""
        stages = [(self.loss.name, self.loss(batch))]
        for term in self.regularisers:
            stages.append((term.name, term(stages[-1][1], batch)))
        return stages


def touched(stages: Sequence[tuple[str, Tensor]], batch: Minibatch) -> dict[str, float]:
    """The share of tokens whose loss each regulariser changed, of `Terms.losses`."""
    count = batch.generated.sum().clamp(min=1)
    shares = {}
    for (_, before), (name, after) in itertools.pairwise(stages):
        shares[f"{name}_touched"] = (((before != after) & batch.generated).sum() / count).item()
    return shares
