"""Yardsticks: what the random policy scores, and the best that is known."""

import functools
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from . import registry
from .kernel.files import user_folders, write_json

EPISODES = 1024
_BEST_EPISODES = 256
_STORED = Path(__file__).parent.parent / "assets" / "references.json"
#: Arguments that change how an environment is shown, not what can be scored in it.
_NEUTRAL = {"render_mode", "capacity"}


@dataclass(frozen=True)
class Reference:
    """Mean returns over the starting states of an environment; of a game the first agent's.

    Attributes:
        random: of the uniformly random (legal) policy, in a game of all agents.
        best: the best known; None where none is, with the reason in `source`. In a game the source
            says what the other agents do.
        source: where `best` comes from.
        episodes: how many episodes of the random policy were played.
    """

    random: float
    best: float | None
    source: str
    episodes: int

    def normalize(self, score: float) -> float | None:
        """A score on the scale where the random policy has 0 and the best known 1.

        None where no best is known, or where it is no better than the random policy.
        """
        if self.best is None or self.best <= self.random:
            return None
        return (score - self.random) / (self.best - self.random)


def reference(id: str, **kwargs: Any) -> Reference:
    """The reference scores of an environment with the given arguments.

    Those of the presets are stored in the package. Others are computed at the first call, which
    may take a minute, and kept in the user's cache folder.
    """
    registry.entry(id)
    key = f"{id} {json.dumps(_identity(kwargs), sort_keys=True)}"
    stored = _read(_STORED).get(key)
    if stored is None:
        cache = user_folders()[0] / "references.json"
        stored = _read(cache).get(key)
        if stored is None:
            stored = asdict(compute(id, **kwargs))
            _add(cache, key, stored)
    return Reference(**stored)


def compute(id: str, **kwargs: Any) -> Reference:
    """Play the random policy and ask the environment's solver; see `reference`."""
    kwargs.pop("render_mode", None)
    returns = random_returns(id, **kwargs)
    env = registry.entry(id).load()(**kwargs)
    best = [env.best_return(seed) for seed in range(_BEST_EPISODES)]
    known = [b for b in best if b is not None]
    if len(known) < len(best):
        mean, source = None, "no solver finds the best return of these arguments"
    else:
        mean = float(np.mean(known))
        source = f"{env.best_source}, mean over seeds 0 to {_BEST_EPISODES - 1}"
    return Reference(float(np.mean(returns)), mean, source, len(returns))


def random_returns(id: str, seed: int = 0, **kwargs: Any) -> np.ndarray[Any, Any]:
    """The returns of `EPISODES` episodes of the random policy, (EPISODES,); see `Reference`."""
    env: Any = gymnasium.make_vec(id, num_envs=EPISODES, autoreset_mode="NEXT_STEP", **kwargs)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    returns = np.full(EPISODES, np.nan)
    while np.isnan(returns).any():
        infos = env.step(env.sample_actions(rng))[4]
        # Only each lane's first episode counts: later ones would favour short episodes.
        if "episode" in infos:
            first = infos["_episode"] & np.isnan(returns)
            returns[first] = infos["episode"]["r"].reshape(EPISODES, -1)[first, 0]
    env.close()
    return returns


def _identity(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that decide a score; a file counts by what is in it, not only by its name."""
    scored = {name: value for name, value in kwargs.items() if name not in _NEUTRAL}
    for name, value in kwargs.items():
        if isinstance(value, str) and os.path.isfile(value):
            digest = hashlib.sha256(Path(value).read_bytes()).hexdigest()
            scored[name] = f"{value} {digest[:16]}"
    return scored


@functools.cache
def _parse(path: Path, modified: float) -> dict[str, Any]:
    return json.loads(path.read_text())


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse(path, path.stat().st_mtime)
    except (OSError, json.JSONDecodeError):
        return {}


def _add(path: Path, key: str, value: dict[str, Any]) -> None:
    """Add an entry to a JSON file, whole or not at all; do without where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**_read(path), key: value})
    except OSError as error:
        gymnasium.logger.warn(f"the reference scores could not be kept: {error}")
