"""The options of `spelunk sweep`, apart from it: its help needs neither torch nor Ray."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SweepOptions:
    """How to sweep, as the command line asks for it."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Each combination is trained with each."""
    total_steps: int = 1_000_000
    """Environment steps to train each trial for."""
    num_envs: int | None = None
    """Environments side by side; as many as suit the agent where not given."""
    cpus_per_trial: int = 1
    """Cores, and threads, of each trial."""
    gpus_per_trial: float = 0.0
    """GPUs of each trial; 0.5 shares one between two."""
    ray_address: str | None = None
    """A Ray cluster to run on; Ray is started on this machine where not given."""
    out: Path | None = None
    """The sweep's folder; runs/sweep-AGENT-ENVIRONMENT where not given."""
