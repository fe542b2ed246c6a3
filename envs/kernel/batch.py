"""`BatchEnv`: what all vector environments of the suite have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .buffers import Buffers
from .definition import constructor_arguments
from .errors import InvalidArgumentError
from .face import Env
from .lanes import DISABLED, NEXT_STEP, SAME_STEP
from .seeds import draw_key, keys_from_seeds

_MODES = {
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
    AutoresetMode.DISABLED: DISABLED,
}


class BatchEnv(VectorEnv[Any, Any, Any]):
    """A batch of one environment over an array of contiguous state records.

    Lane i, reset with seed s, plays exactly what the single environment plays at seed s + i.

    Infos hold whole arrays: `action_mask` (n, actions) `int8` where not every action is legal, and
    the environment's metrics. When episodes end, `episode` holds their returns `r` and lengths
    `l`, and in same-step mode `final_obs` and `final_info` what the last step of each showed. As
    Gymnasium has it, the boolean array under `_name` says which lanes an entry speaks of; of the
    others `episode` holds the latest episode before.

    Args:
        env_class: the single environment's class.
        num_envs: the number of environments.
        autoreset_mode: an `AutoresetMode` or its name.
        num_threads: threads of a compiled loop; None for as many as pay off at the moment.
        copy: whether each step returns fresh arrays. Without copies, observations, rewards, flags
            and masks are buffers that the next step overwrites.
        kwargs: the environment's own arguments.

    Raises:
        InvalidArgumentError: for wrong arguments, here and in `reset`.
    """

    def __init__(
        self,
        env_class: type[Env],
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        num_threads: int | None = None,
        copy: bool = True,
        **kwargs: Any,
    ):
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise InvalidArgumentError(f"num_envs must be a positive integer; got {num_envs!r}")
        if num_threads is not None and num_threads < 1:
            raise InvalidArgumentError(f"num_threads must be positive; got {num_threads!r}")
        self._arguments = {
            "num_envs": num_envs,
            "autoreset_mode": autoreset_mode,
            "num_threads": num_threads,
            "copy": copy,
            **kwargs,
        }
        #: The environment that the lanes are copies of; it draws and describes their states.
        self.prototype = env_class(**constructor_arguments(env_class, (), kwargs))
        self.autoreset_mode = _read_mode(autoreset_mode)
        self._mode = _MODES[self.autoreset_mode]
        self.metadata = {**env_class.metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = num_envs
        self.num_threads = num_threads
        self.render_mode = self.prototype.render_mode
        self.definition = d = self.prototype.definition
        self.single_observation_space = d.observation_space
        self.single_action_space = d.action_space
        self.observation_space = batch_space(d.observation_space, num_envs)
        self.action_space = batch_space(d.action_space, num_envs)
        self._masked = d.masked
        self._started = False
        self._allocate(copy)

    # --- Gymnasium ---

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes in all lanes, or in those that `options["reset_mask"]` names.

        Args:
            seed: lane i gets `seed + i`; a sequence sets them one by one. Without a seed the lanes
                go on from their own random-number states.
            options: `reset_mask`, an (n,) `bool` array with at least one True; `task`, one or (n,)
                integers, where the environment has tasks, which a lane keeps when it resets
                itself (−1: one is drawn each time); and the options of the single environment,
                which then hold for every lane that is reset.
        """
        options = dict(options or {})
        chosen = self._read_reset_mask(options.pop("reset_mask", None))
        task = self.definition.read_task(options.pop("task", -1), (self.num_envs,))
        options = self.prototype.check_options(options)
        self._set_out(chosen, seed, task)
        self._started = True
        self._begin(chosen)
        if options:
            self._apply_options(chosen, options)
        self._look_again()
        return self.present()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Advance every lane; see the class for the infos.

        Raises:
            InvalidActionError: names the first lane whose action is illegal; no lane was stepped.
            gymnasium.error.ResetNeeded: `reset` was not called, or a lane has ended and resets are
                disabled.
        """
        if not self._started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        if self._mode == DISABLED and self.states["done"].any():
            ended = np.flatnonzero(self.states["done"])
            raise gymnasium.error.ResetNeeded(
                f"the episodes of environments {ended[:20].tolist()} have ended: reset them with "
                'reset(options={"reset_mask": …})'
            )
        self.definition.read_actions(actions, self._actions)
        bad = self._first_illegal()
        if bad >= 0:
            mask = self.buffers.mask[bad % len(self.buffers.mask)]
            raise self.definition.illegal_action(bad, self._actions[bad], mask)
        self.buffers.turn_over()
        self._advance()
        return self._outcome(self.buffers.ended.any())

    def _outcome(self, endings: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """What a step returns; `endings`: whether some episode may have ended."""
        infos, shown = self._info(), self.buffers.shown
        if endings:
            self._add_endings(infos)
        return (
            shown("observations"),
            shown("rewards"),
            shown("terminated"),
            shown("truncated"),
            infos,
        )

    def write_into(
        self,
        *,
        observations: Any = None,
        rewards: Any = None,
        terminated: Any = None,
        truncated: Any = None,
    ) -> None:
        """Have the following steps write into the caller's arrays, rather than hand out copies.

        A rollout calls this before each step with the rows of its storage; an array may as well be
        shared or pinned memory, and a torch tensor on the CPU. A step returns the very arrays.
        What is None is written into the batch's own buffers, and handed out as ever.

        Args:
            observations: an array (n, …) as `observation_space` has it, or a dict of such.
            rewards: (n,) `float32`; (n, agents) of a game, and so `terminated`.
            terminated: (n,) `bool`.
            truncated: (n,) `bool`.

        Raises:
            InvalidArgumentError: an array that is not contiguous, or has another shape or dtype.
        """
        self.buffers.give(
            observations=observations, rewards=rewards, terminated=terminated, truncated=truncated
        )

    def render(self) -> tuple[Any, ...]:
        """What `render_mode` shows of every lane."""
        if self.render_mode is None:
            raise InvalidArgumentError('give render_mode="rgb_array" or "ansi" to render')
        rgb = self.render_mode == "rgb_array"
        draw = self.prototype.draw_state if rgb else self.prototype.show_state
        return tuple(draw(state) for state in self.records())

    # --- the other faces, a lane at a time ---

    def snapshot(self) -> np.ndarray[Any, Any]:
        """A copy of all state records, (n,)."""
        return self.states.copy()

    def restore(self, snapshot: np.ndarray[Any, Any]) -> None:
        """Go back to a snapshot of all lanes."""
        if snapshot.shape != self.states.shape or snapshot.dtype != self.states.dtype:
            raise InvalidArgumentError("the snapshot has other lanes or fields than this batch")
        self.states[...] = snapshot
        self._started = True
        self._look_again()

    def present(self) -> tuple[Any, dict[str, Any]]:
        """The present observations and infos, as the last `reset` or `step` returned them."""
        return self.buffers.shown("observations"), self._info()

    def records(self) -> np.ndarray[Any, Any]:
        """The state records of all lanes, on the host."""
        return self.states

    def describe(self, lane: int) -> str:
        """The present state of one lane in words."""
        return self.prototype.describe_state(self.records()[lane])

    def action_words(self, lane: int, action: Any) -> str:
        """An action in words, as the single environment has it in the state of one lane."""
        self.prototype.restore(self.records()[lane])
        return self.prototype.action_words(action)

    def parse(self, lane: int, text: str) -> Any:
        """The action a text names in the state of one lane.

        Raises:
            UnparseableActionError: the text names none.
        """
        self.prototype.restore(self.records()[lane])
        return self.prototype.parse(text)

    @property
    def final_states(self) -> np.ndarray[Any, Any]:
        """The records that the latest episodes of the lanes ended in, (n,)."""
        return self.buffers.final_states

    def latest_episodes(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Returns and lengths (n,) of each lane's latest episode; length 0 before its first end."""
        return self.buffers.returns.copy(), self.buffers.lengths.copy()

    @property
    def action_mask(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        """The legal actions now, (n, actions) `int8`; None where every action is always legal."""
        return self.buffers.copied("mask") if self._masked else None

    def sample_actions(self, rng: np.random.Generator) -> Any:
        """A legal action for every lane, drawn uniformly."""
        if self._masked:
            scores = rng.random(self.buffers.mask.shape) * self.buffers.mask
            return scores.argmax(axis=-1)
        if self.definition.discrete:
            return rng.integers(self.definition.n_actions, size=self.num_envs)
        self.action_space.seed(int(rng.integers(2**31)))
        return self.action_space.sample()

    @property
    def threads(self) -> int:
        """How many threads the next step will run on."""
        return 1

    # --- the loops over lanes, which a subclass fills in ---

    @abstractmethod
    def _begin(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Start episodes in the chosen lanes."""

    @abstractmethod
    def _first_illegal(self) -> int:
        """The first lane whose action in the buffer is illegal, or -1."""

    @abstractmethod
    def _advance(self) -> None:
        """Step every lane, or reset it where that is due, and write all buffers."""

    @abstractmethod
    def _look(self) -> None:
        """Write the observations and masks of the states as they are."""

    # --- copies ---

    def __reduce__(self) -> Any:
        kept = {
            "states": self.records() if self._started else None,
            "np_random": self._np_random,
            "np_random_seed": self._np_random_seed,
            "spec": self.spec,
        }
        return _rebuild, (type(self), type(self.prototype), self._arguments), kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self._np_random = kept["np_random"]
        self._np_random_seed = kept["np_random_seed"]
        self.spec = kept["spec"]
        if kept["states"] is not None:
            self.restore(kept["states"])

    # --- internal ---

    def _allocate(self, copy: bool) -> None:
        d, n = self.definition, self.num_envs
        self.states = d.layout.empty(n)
        self.buffers = Buffers(d, n, copy, self._mode == SAME_STEP)
        self._actions = d.allocate_actions(n)
        self._every = np.ones(n, bool)
        self._every.flags.writeable = False

    def _set_out(self, chosen: Any, seed: Any, task: np.ndarray[Any, Any]) -> None:
        """Write what a reset gives the chosen lanes: seeds, tasks, time limits."""
        lanes, keys = self._draw_keys(seed, chosen)
        self.states["rng"][lanes] = keys
        self.states["task"][chosen] = np.broadcast_to(task, self.num_envs)[chosen]
        self.states["max_steps"][chosen] = self.definition.max_episode_steps

    def _apply_options(self, chosen: Any, options: dict[str, Any]) -> None:
        for i in np.flatnonzero(chosen):
            self.prototype.apply_options(self.states[i], options)

    def _look_again(self) -> None:
        """Show the states in arrays that nobody holds, after a change other than a step."""
        self.buffers.turn_over()
        self._look()

    def _read_reset_mask(self, mask: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
        if mask is None:
            return np.ones(self.num_envs, bool)
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (self.num_envs,) or not mask.any():
            raise InvalidArgumentError(
                f"reset_mask must be a bool array of shape ({self.num_envs},) with at least one "
                f"True; got dtype {mask.dtype}, shape {mask.shape}"
            )
        if not self._started and not mask.all():
            raise InvalidArgumentError("the first reset must be of all environments")
        return mask

    def _draw_keys(
        self, seed: Any, chosen: np.ndarray[Any, np.dtype[np.bool_]]
    ) -> tuple[list[int], np.ndarray[Any, np.dtype[np.uint64]]]:
        """The chosen lanes that get a generator key, and their keys."""
        if seed is None and self._started:
            return [], np.empty(0, np.uint64)
        if seed is None:
            seeds: Sequence[int | None] = [None] * self.num_envs
        elif isinstance(seed, int | np.integer):
            self._np_random, self._np_random_seed = seeding.np_random(int(seed))
            seeds = range(int(seed), int(seed) + self.num_envs)
        elif len(seed) == self.num_envs:
            seeds = seed
        else:
            raise InvalidArgumentError(
                f"seed has {len(seed)} entries for {self.num_envs} environments"
            )
        wanted = [(i, seeds[i]) for i in np.flatnonzero(chosen).tolist()]
        seeded = [(i, s) for i, s in wanted if s is not None]
        keys = keys_from_seeds(s for _, s in seeded)
        others = [] if self._started else [i for i, s in wanted if s is None]
        drawn = np.array([draw_key(self.np_random) for _ in others], np.uint64)
        return [i for i, _ in seeded] + others, np.concatenate([keys, drawn])

    def _info(self) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        if self._masked:
            infos["action_mask"] = self.buffers.copied("mask")
            infos["_action_mask"] = self._every
        for name in self.definition.metrics:
            infos[name] = self._field(self.states, name)
            infos[f"_{name}"] = self._every
        return infos

    def _field(self, states: Any, name: str) -> Any:
        """A copy of one field of all records."""
        return states[name].copy()

    def _add_endings(self, infos: dict[str, Any]) -> None:
        b = self.buffers
        ended = b.copied("ended")
        infos["episode"] = {"r": b.copied("returns"), "l": b.copied("lengths")}
        infos["_episode"] = ended
        if self._mode == SAME_STEP:
            infos["final_obs"] = b.shown("final_observations")
            infos["_final_obs"] = ended
            final = b.final_states
            entries = {name: self._field(final, name) for name in self.definition.metrics}
            if self._masked:
                entries["action_mask"] = b.shown("final_mask")
            infos["final_info"] = entries | {f"_{name}": ended for name in entries}
            infos["_final_info"] = ended


def _rebuild(cls: type[BatchEnv], env_class: type[Env], arguments: dict[str, Any]) -> BatchEnv:
    return cls(env_class, **arguments)


def _read_mode(mode: AutoresetMode | str) -> AutoresetMode:
    wanted = mode.value if isinstance(mode, AutoresetMode) else str(mode)
    for member in AutoresetMode:
        if wanted.replace("_", "").replace("-", "").lower() == member.value.lower():
            return member
    raise InvalidArgumentError(
        f"autoreset_mode must be one of {[m.name for m in AutoresetMode]}; got {mode!r}"
    )
