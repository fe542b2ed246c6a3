"""Beds: where recipes are tried. Each has a starting model, so that all arms start alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...envs.kernel.errors import InvalidArgumentError

_ASSETS = Path(__file__).parents[2] / "assets" / "language_models"


@dataclass(frozen=True)
class Bed:
    """An environment, the model that reinforcement learning starts from, and how it learns.

    Attributes:
        name: of the bed, and of the starting model's folder among the assets.
        env_id: the environment.
        env_kwargs: its arguments in training.
        test_kwargs: those that differ in tests, whose starts no training has seen.
        max_tokens: the longest message.
        lanes: episodes of an update.
        updates: of reinforcement learning, at each scale; more where episodes end early.
        start_score: the share of right answers on tests at which imitation stops.
        turns: the most actions of an episode.
        test_every: updates of imitation between two tests.
        parts: minibatches of an update of imitation.
        minibatches, learning_rate: of an update of reinforcement learning.
        critiques: whether imitation also shows how wrong answers are corrected.
        sizes: of the starting model: arguments of `LanguageModel.small`.
    """

    name: str
    env_id: str
    env_kwargs: Mapping[str, Any]
    test_kwargs: Mapping[str, Any]
    max_tokens: int
    lanes: int
    updates: Mapping[str, int]
    start_score: float
    turns: int = 1
    test_every: int = 10
    parts: int = 1
    minibatches: int = 4
    learning_rate: float = 3e-4
    critiques: bool = False
    sizes: Mapping[str, int] = field(
        default_factory=lambda: {"hidden_size": 64, "layers": 3, "heads": 4}
    )

    @property
    def config(self) -> dict[str, Any]:
        """Hyperparameters of reinforcement learning, which arms change."""
        return {
            "advantage": "grpo",
            "learning_rate": self.learning_rate,
            "num_minibatches": self.minibatches,
            "group_size": 8,
            "max_tokens": self.max_tokens,
        }

    @property
    def imitation(self) -> dict[str, Any]:
        """Those of imitation, with which the starting model is made."""
        rates = {"sft_learning_rate": 2e-3, "sft_warmup": 100}
        return {**self.config, **self.sizes, **rates, "num_minibatches": self.parts}

    @property
    def start(self) -> Path:
        """The folder of the starting model."""
        return _ASSETS / self.name


BEDS = {
    bed.name: bed
    for bed in (
        Bed(
            name="countdown",
            env_id="spelunk/CountdownAnswer-v0",
            env_kwargs={
                "numbers": 3, "target": (1, 50), "highest": 20, "use_all": True,
                "dialect": "compact", "split": "train",
            },
            test_kwargs={"split": "test"},
            start_score=0.22,
            max_tokens=16,
            lanes=256,
            updates={"smoke": 4, "laptop": 400, "gpu": 1500},
        ),
        Bed(
            name="countdown-critique",
            env_id="spelunk/CountdownAnswer-v0",
            env_kwargs={
                "numbers": 3, "target": (1, 50), "highest": 20, "use_all": True,
                "dialect": "compact", "split": "train",
            },
            test_kwargs={"split": "test"},
            critiques=True,
            parts=2,
            start_score=0.2,
            max_tokens=16,
            lanes=256,
            updates={"smoke": 4, "laptop": 400, "gpu": 1500},
        ),
        Bed(
            name="chain",
            env_id="spelunk/ChainArithmetic-v0",
            env_kwargs={"steps": 3, "orders": 2, "dialect": "compact", "split": "train"},
            test_kwargs={"split": "test"},
            parts=2,
            start_score=0.25,
            max_tokens=48,
            lanes=128,
            minibatches=1,
            learning_rate=2e-4,
            updates={"smoke": 4, "laptop": 300, "gpu": 1500},
        ),
        Bed(
            name="constraints",
            env_id="spelunk/Constraints-v0",
            env_kwargs={
                "constraints": [1, 6], "reward": "all", "dialect": "compact", "split": "train",
            },
            test_kwargs={"split": "test", "reward": "all"},
            start_score=0.2,
            max_tokens=16,
            lanes=256,
            updates={"smoke": 4, "laptop": 400, "gpu": 1500},
        ),
        Bed(
            name="search",
            env_id="spelunk/KnowledgeSearch-v0",
            env_kwargs={
                "actions": "text", "dialect": "compact", "documents": 100,
                "worlds": 512, "per_pattern": 100, "names_seed": 0, "max_episode_steps": 6,
            },
            test_kwargs={"world_seed": 512, "worlds": 1, "per_pattern": 2000},
            test_every=100,
            parts=6,
            start_score=0.2,
            max_tokens=16,
            lanes=64,
            turns=6,
            updates={"smoke": 4, "laptop": 120, "gpu": 1500},
        ),
    )
}  # fmt: skip


def bed(name: str) -> Bed:
    """The bed of a name.

    Raises:
        InvalidArgumentError: there is none.
    """
    if name not in BEDS:
        raise InvalidArgumentError(f"bed must be one of {list(BEDS)}; got {name!r}")
    return BEDS[name]
