"""`Env`: the faces every environment of the suite has, compiled or not."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np

from .definition import Definition, constructor_arguments
from .errors import InvalidArgumentError, UnparseableActionError
from .seeds import draw_key
from .spaces import LegalDiscrete

State = Any  # one row of a record array


class Env(gymnasium.Env[Any, Any]):
    """What an environment shows besides Gymnasium's own interface: snapshots, words, pictures.

    `KernelEnv` (compiled) and `HostEnv` (plain Python) fill in the dynamics; an author extends one
    of them and overrides `describe_state`, `draw_state`, `show_state`, and where they say more
    than numbers `action_words` and `parse`.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 10}  # noqa: RUF012

    #: What `reset(options=…)` accepts.
    reset_options: ClassVar[tuple[str, ...]] = ()

    #: How `best_return` comes by its numbers, for the reference scores.
    best_source: str = "the environment's own solver"

    #: State record, spaces and time limit.
    definition: Definition

    #: Whether there is a state: `reset` or `restore` was called.
    started = False

    _arguments: dict[str, Any]
    _states: np.ndarray[Any, Any]  # one record

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        env = super().__new__(cls)
        env._arguments = constructor_arguments(cls, args, kwargs)
        return env

    def __init__(self, render_mode: str | None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise InvalidArgumentError(
                f"render_mode must be one of {self.metadata['render_modes']} or None; "
                f"got {render_mode!r}"
            )
        self.render_mode = render_mode

    def adopt_spaces(self) -> None:
        """Take the spaces from `definition`; with a mask, samples of the actions are legal."""
        self.observation_space = self.definition.observation_space
        self.action_space = self.definition.action_space
        if self.definition.masked and self.definition.discrete:
            self.action_space = LegalDiscrete(self.definition.n_actions, self.action_mask)

    # --- episodes ---

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`.

        A seed sets the generator of the state; without one it goes on from where it was.

        Raises:
            InvalidArgumentError: for an unknown option, or one that does not fit.
        """
        super().reset(seed=seed)  # pyright: ignore[reportArgumentType]
        options = dict(options or {})
        task = self.definition.read_task(options.pop("task", -1), ())
        options = self.check_options(options)
        if seed is not None or not self.started:
            self._states["rng"] = draw_key(self.np_random)
        self.started = True
        self._states["task"] = task
        self._states["max_steps"] = self.definition.max_episode_steps
        self._begin()
        if options:
            self.apply_options(self.state, options)
        self._look()
        return self.present()

    def present(self) -> tuple[Any, dict[str, Any]]:
        """The present observation and infos, as the last `reset` or `step` returned them."""
        return self._observation(), self._info()

    @property
    def state(self) -> State:
        """The present state: a view, so that changes to it change the environment."""
        return self._states[0]

    def snapshot(self) -> State:
        """A copy of the state record: everything that determines the future."""
        return self._states[0].copy()

    def restore(self, snapshot: State) -> None:
        """Go back to a snapshot, its random-number generator and time limit included.

        Raises:
            InvalidArgumentError: the snapshot is of another environment.
        """
        if getattr(snapshot, "dtype", None) != self._states.dtype:
            raise InvalidArgumentError(
                "the snapshot is not this environment's: its record has other fields or sizes"
            )
        self._states[0] = snapshot
        self.started = True
        self._look()

    # --- for the two kinds of environments ---

    @abstractmethod
    def _begin(self) -> None:
        """Draw the initial state into the record."""

    @abstractmethod
    def _look(self) -> None:
        """Take note of a record that was changed otherwise than by a step."""

    @abstractmethod
    def _observation(self) -> Any:
        """A fresh observation of the record."""

    @abstractmethod
    def _info(self) -> dict[str, Any]:
        """Fresh infos: the metrics and the mask."""

    # --- copies ---

    def __reduce__(self) -> Any:
        kept = {
            "snapshot": self.snapshot() if self.started else None,
            "np_random": self._np_random,
            "np_random_seed": self._np_random_seed,
            "spec": self.spec,
            "action_rng": self.action_space._np_random,
            "observation_rng": self.observation_space._np_random,
        }
        return _rebuild, (type(self), self._arguments), kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self._np_random = kept["np_random"]
        self._np_random_seed = kept["np_random_seed"]
        self.spec = kept["spec"]
        self.action_space._np_random = kept["action_rng"]
        self.observation_space._np_random = kept["observation_rng"]
        if kept["snapshot"] is not None:
            self.restore(kept["snapshot"])

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self._arguments.items())
        return f"<{type(self).__name__}({shown})>"

    # --- pictures and words ---

    def render(self) -> Any:
        """The picture (H, W, 3) `uint8` or the text that `render_mode` asks for."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() was called but no render_mode was given to gym.make; "
                'pass render_mode="rgb_array" or "ansi"'
            )
            return None
        draw = self.draw_state if self.render_mode == "rgb_array" else self.show_state
        return draw(self.state)

    def describe(self) -> str:
        """The present state in words, as a language model or a person would be told it."""
        return self.describe_state(self.state)

    @abstractmethod
    def describe_state(self, state: State) -> str:
        """A state in words."""

    @abstractmethod
    def draw_state(self, state: State) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """A state as a picture, (H, W, 3) `uint8`."""

    @abstractmethod
    def show_state(self, state: State) -> str:
        """A state as lines of text for a terminal."""

    def action_words(self, action: Any) -> str:
        """An action in words; `parse` turns it back."""
        return str(int(action))

    def parse(self, text: str) -> Any:
        """The action a text names.

        Raises:
            UnparseableActionError: the text names none.
        """
        wanted = " ".join(text.lower().split())
        n_actions = getattr(self.action_space, "n", 0)
        for action in range(n_actions):
            if self.action_words(action) == wanted:
                return action
        example = f"; say for example {self.action_words(0)!r}" if n_actions else ""
        raise UnparseableActionError(f"{text!r} names no action{example}")

    # --- acting ---

    @abstractmethod
    def action_mask(self) -> np.ndarray[Any, np.dtype[np.int8]] | None:
        """The legal actions now, (n_actions,) `int8`; None where every action is always legal."""

    def sample_action(self, rng: np.random.Generator) -> Any:
        """A legal action, drawn uniformly (from a `Box` uniformly inside it)."""
        mask = self.action_mask()
        if isinstance(self.action_space, gymnasium.spaces.Discrete):
            n = int(self.action_space.n)
            return int(rng.integers(n) if mask is None else rng.choice(np.flatnonzero(mask)))
        if mask is not None:
            return (rng.random(mask.shape) * mask).argmax(axis=-1)
        self.action_space.seed(int(rng.integers(2**31)))
        return self.action_space.sample()

    def best_return(self, seed: int) -> float | None:
        """The best return known from `reset(seed=seed)`; None where none can be computed.

        In a game it is the first agent's, and `best_source` says what the others do.
        """
        return None

    # --- options of a reset ---

    def apply_options(self, state: State, options: dict[str, Any]) -> None:
        """Change a freshly reset state as `reset(options=…)` asks; see `reset_options`."""

    def check_options(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """The options of a reset, known ones only.

        Raises:
            InvalidArgumentError: for an option this environment does not have.
        """
        options = dict(options or {})
        unknown = set(options) - set(self.reset_options)
        if unknown:
            raise InvalidArgumentError(
                f"reset options {sorted(unknown)} are unknown; accepted are "
                f"{sorted(self.reset_options) or 'none'}"
            )
        return options


def _rebuild(cls: type[Env], arguments: dict[str, Any]) -> Env:
    return cls(**arguments)


def restore(env: gymnasium.Env[Any, Any], snapshot: State) -> None:
    """Restore the environment under any wrappers, and bring Gymnasium's own wrappers along.

    `TimeLimit` and `OrderEnforcing` keep counters of their own, which `env.unwrapped.restore`
    cannot reach; used on what `gymnasium.make` returned, this function sets them too.
    """
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, gymnasium.wrappers.TimeLimit):
            env._elapsed_steps = int(snapshot["step_count"])
        elif isinstance(env, gymnasium.wrappers.OrderEnforcing):
            env._has_reset = True
        env = env.env
    env.unwrapped.restore(snapshot)  # pyright: ignore[reportAttributeAccessIssue]
