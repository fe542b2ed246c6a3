"""What an environment is made of, and the compiled loops that run it: shared by all its faces."""

import functools
import inspect
import reprlib
from collections import namedtuple
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium import spaces

from .codegen import Loops, generate
from .errors import InvalidActionError, InvalidArgumentError
from .feasible import FeasibleSpace
from .lanes import Kernels, Shape
from .opponent import NOBODY
from .spaces import Unicode
from .state import StateLayout


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What all faces of an environment must know: state record, spaces and time limit.

    Args:
        layout: the state record.
        observation_space: a `Box` (or other array space) or a `Unicode`, or a `Dict` of them.
        action_space: `Discrete`, `MultiDiscrete`, `MultiBinary`, a 1-D `Box`, a `Unicode` or a
            `FeasibleSpace`.
        max_episode_steps: the time limit; −1 for none.
        metrics: state fields handed out in the infos under their own names.
        masked: whether not every action is always legal.
        tasks: how many tasks `reset(options={"task": …})` can choose among; 0 for no such choice.
        agents: the names of the agents of a game; empty where there is only one. The spaces are
            then joint ones, with the agents as the first axis of observations and, where all act
            at once, of actions. Where they take turns an action is one integer, that of the agent
            whose index is in the state field `turn`. Where all act at once, an agent without any
            legal action does not act: what is given for it is ignored, and `step` finds 0 in its
            place.
    """

    layout: StateLayout
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    max_episode_steps: int
    metrics: tuple[str, ...] = ()
    masked: bool = False
    tasks: int = 0
    agents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limit = self.max_episode_steps
        if isinstance(limit, bool) or not isinstance(limit, int) or (limit < 1 and limit != -1):
            raise InvalidArgumentError(
                f"max_episode_steps must be a positive integer, or -1 for none; got {limit!r}"
            )
        unknown = set(self.metrics) - set(self.layout.dtype.names or ())
        if unknown:
            raise InvalidArgumentError(f"metrics {sorted(unknown)} are not fields of the state")

    @property
    def discrete(self) -> bool:
        """Whether an action is one integer."""
        return isinstance(self.action_space, spaces.Discrete)

    @property
    def turns(self) -> bool:
        """Whether the agents of a game act one after the other."""
        return bool(self.agents) and self.discrete

    @property
    def integers(self) -> bool:
        """Whether an action is a row of integers, one of each agent of a game."""
        return bool(self.agents) and isinstance(self.action_space, spaces.MultiDiscrete)

    @property
    def n_actions(self) -> int:
        """The number of actions of an agent, where they are discrete; 1 otherwise."""
        if isinstance(self.action_space, spaces.Discrete):
            return int(self.action_space.n)
        if isinstance(self.action_space, spaces.MultiDiscrete) and self.integers:
            return int(self.action_space.nvec[0])
        return 1

    @property
    def revised(self) -> bool:
        """Whether steps change the observation rows of the step before, rather than write anew."""
        return False

    @functools.cached_property
    def parts(self) -> dict[str, spaces.Space[Any]] | None:
        """The named parts of a composite observation; None for one array."""
        space = self.observation_space
        return dict(space.spaces) if isinstance(space, spaces.Dict) else None

    @functools.cached_property
    def _observation_type(self) -> type[tuple[Any, ...]] | None:
        return None if self.parts is None else _observation_type(tuple(self.parts))

    def allocate_observations(self, n: int) -> Any:
        """`n` observation rows: an array (of objects for texts), or a named tuple of arrays."""
        if self.parts is None or self._observation_type is None:
            return _allocate(self.observation_space, n)
        return self._observation_type(*(_allocate(s, n) for s in self.parts.values()))

    def allocate_mask(self, n: int) -> np.ndarray[Any, np.dtype[np.int8]]:
        """`n` mask rows, (n, [agents,] actions); one row where every action is always legal."""
        at_once = (len(self.agents),) if self.agents and not self.discrete else ()
        return np.ones((n if self.masked else 1, *at_once, self.n_actions), np.int8)

    def allocate_scalars(self, n: int, dtype: Any) -> np.ndarray[Any, Any]:
        """Rewards, returns or flags of `n` environments: (n,), or (n, agents) of a game."""
        return np.zeros((n, len(self.agents)) if self.agents else n, dtype)

    def allocate_actions(self, n: int) -> np.ndarray[Any, Any]:
        """A buffer for `n` actions, which keeps the loops to one compiled signature."""
        return np.zeros(n, np.int64) if self.discrete else _allocate(self.action_space, n)

    def read_actions(self, actions: Any, buffer: np.ndarray[Any, Any]) -> None:
        """Copy actions into a buffer; clip those of a `Box`.

        Raises:
            InvalidActionError: for a wrong shape, a fraction where an integer is wanted, or a
                `MultiDiscrete` choice out of range, a row outside a `FeasibleSpace`, or not a text
                of a `Unicode`. NaN and illegal integers are found later (`first_illegal`).
        """
        if isinstance(self.action_space, Unicode):
            self._read_texts(actions, buffer)
            return
        try:
            given = np.asarray(actions)
            if given.shape != buffer.shape:
                raise TypeError(f"the shape is {given.shape} and must be {buffer.shape}")
            if given.dtype == bool and self.discrete:
                raise TypeError("the dtype is bool and must be an integer")
            np.copyto(buffer, given, casting="same_kind")
        except TypeError as error:
            raise InvalidActionError(
                f"the actions do not fit the action space {self.action_space}: {error}"
            ) from error
        if isinstance(self.action_space, spaces.Box):
            np.clip(buffer, self.action_space.low, self.action_space.high, out=buffer)
        elif isinstance(self.action_space, spaces.MultiDiscrete | spaces.MultiBinary):
            if self.integers:
                return  # The loops know whose actions count.
            top = getattr(self.action_space, "nvec", 2)
            wrong = ((buffer < 0) | (buffer >= top)).any(axis=-1)
            if wrong.any():
                raise self.illegal_action(int(np.argmax(wrong)), buffer[np.argmax(wrong)], None)
        elif isinstance(self.action_space, FeasibleSpace):
            bad = self.action_space.first_infeasible(buffer)
            if bad >= 0:
                raise self.illegal_action(bad, buffer[bad], None)

    def read_task(self, task: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """The task of `reset(options={"task": …})`: an integer, or an array of this shape.

        Raises:
            InvalidArgumentError: there is no such task; −1 leaves the choice to chance.
        """
        given = np.asarray(task)
        integers = given.dtype.kind in "iu" and given.shape in ((), shape)
        if not integers or (given < -1).any() or (given >= self.tasks).any():
            shapes = "an integer" + (f" or an array of shape {shape}" if shape else "")
            accepted = (
                f"{shapes} from 0 to {self.tasks - 1}, or −1 to draw one"
                if self.tasks
                else "left out: this environment has no tasks to choose among"
            )
            raise InvalidArgumentError(f"the option task must be {accepted}; got {task!r}")
        return given

    def _read_texts(self, actions: Any, buffer: np.ndarray[Any, Any]) -> None:
        fits = isinstance(actions, list | tuple | np.ndarray) and len(actions) == len(buffer)
        if not fits:
            raise InvalidActionError(f"the actions must be a sequence of {len(buffer)} texts")
        for i, text in enumerate(actions):
            if text not in self.action_space:
                raise self.illegal_action(i, text, None)
            buffer[i] = text

    def illegal_action(self, index: int, action: Any, mask: Any) -> InvalidActionError:
        """The error that names the environment, the action and what was allowed."""
        allowed = f"the action space is {self.action_space}"
        if mask is not None and self.masked:
            allowed = f"allowed were {self._name_legal(mask)}"
        name = action if isinstance(action, int | np.generic | np.ndarray) else reprlib.repr(action)
        return InvalidActionError(f"environment {index}: action {name} is illegal; {allowed}")

    def _name_legal(self, mask: np.ndarray[Any, Any]) -> str:
        if mask.ndim == 2:
            rows = zip(self.agents, mask, strict=True)
            return "; ".join(f"{agent}: {self._name_legal(row)}" for agent, row in rows)
        legal = np.flatnonzero(mask)
        if not legal.size:
            return "none"
        return ", ".join(map(str, legal[:20])) + (", …" if len(legal) > 20 else "")


@dataclass(frozen=True, kw_only=True)
class KernelDefinition(Definition):
    """The definition of a compiled environment.

    Args:
        kernels: the dynamics.
        params: a named tuple of scalars and arrays, fixed for the life of the environment.
        stochastic: whether `step` draws random numbers.
        inverse_actions: for each action the one that takes it back, from whatever state it led to
            and at the same cost; empty where that is not so.
        plays: see `Shape`; there is one agent then.
    """

    kernels: Kernels
    params: Any
    stochastic: bool = False
    inverse_actions: tuple[int, ...] = ()
    plays: str = NOBODY

    @property
    def revised(self) -> bool:
        return self.kernels.update is not None

    @functools.cached_property
    def loops(self) -> Loops:
        """The compiled loops."""
        return Loops(self.kernels, self.shape)

    def generate(self, text: str, **functions: Any) -> ModuleType:
        """A compiled module of loops of one's own over this environment; see `codegen`."""
        known = self._generated
        key = text, *functions.items()
        if key not in known:
            known[key] = generate(self.kernels, self.shape, text, functions)
        return known[key]

    @functools.cached_property
    def _generated(self) -> dict[Any, ModuleType]:
        return {}

    @property
    def shape(self) -> Shape:
        """What the text of the loops depends on."""
        observation, agents = self._observation_type, len(self.agents)
        return Shape(
            self.layout,
            observation,
            self.discrete,
            agents,
            self.integers,
            self._choices,
            self.plays,
        )

    @property
    def _choices(self) -> tuple[int, ...]:
        """How many choices each integer of one agent's row has; empty where it has none."""
        space = self.action_space
        rows = spaces.MultiDiscrete | spaces.MultiBinary | FeasibleSpace
        if self.agents or not isinstance(space, rows):
            return ()
        most = getattr(space, "nvec", 2)
        return tuple(np.broadcast_to(most, space.shape or ()).ravel().tolist())


def _allocate(space: spaces.Space[Any], n: int) -> np.ndarray[Any, Any]:
    if isinstance(space, Unicode):
        return np.full(n, "", object)
    return np.zeros((n, *(space.shape or ())), space.dtype)


@functools.cache
def _observation_type(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """The named tuple of these parts: one class, under a name of its own in this module.

    Numba tells named tuples apart by class, and finds compiled code again only where it can look
    the class up by its name.
    """
    name = "Observation_" + "_".join(names)
    globals()[name] = namedtuple(name, names, module=__name__)
    return globals()[name]


def constructor_arguments(
    cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a constructor call by name, as they were given.

    Raises:
        InvalidArgumentError: for an unknown argument; the message lists the accepted ones.
    """
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        accepted = ", ".join(list(signature.parameters)[1:])
        raise InvalidArgumentError(f"{cls.__name__}: {error}; accepted are {accepted}") from None
    arguments = dict(bound.arguments)
    arguments.pop(next(iter(signature.parameters)))
    return arguments
