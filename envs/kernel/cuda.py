"""`CudaVectorEnv`: thousands of environments on a GPU, whose tensors never leave it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from . import cuda_codegen
from .batch import BatchEnv
from .compile import SIMULATED
from .cuda_buffers import DeviceBuffers, field, records
from .cuda_codegen import CONTROL_SLOTS, FIRST, NOTHING, OVER, PLACES, REFUSED
from .definition import KernelDefinition
from .device import Program, View, dtypes_of, require, to_device, views
from .errors import InvalidActionError, InvalidArgumentError, UnsupportedFaceError
from .face import Env
from .lanes import DISABLED, SAME_STEP

Tensor = torch.Tensor


class CudaVectorEnv(BatchEnv):
    """A batch of one compiled environment on a GPU: torch tensors in, torch tensors out.

    It plays what `KernelVectorEnv` plays, and its infos have the same entries, except that
    `episode`, `final_obs` and `final_info` are always there: only the device knows whether an
    episode has ended, and nothing here waits for it. For the same reason an action that is not
    allowed raises nothing at first: its lane stays as it is, with a reward of 0, and the error
    comes from `check`, the next `reset` or `close`.

    A step launches a few kernels on torch's current stream and allocates nothing but its copies,
    so that it can be captured in a CUDA graph, after a first step outside of it. With `copy=False`
    the tensors that a step returns are the same each time.

    Args:
        env_class: the single environment's class.
        num_envs: the number of environments.
        device: `"cuda"`, or `"cuda:1"` and so on.
        debug: whether each step waits for the device, so that errors come at once.
        arguments: `autoreset_mode`, `copy` and the environment's own, as in `BatchEnv`.

    Raises:
        InvalidArgumentError: for wrong arguments, here and in `reset`.
        UnsupportedFaceError: there is no GPU, or the package `numba-cuda` is missing.
    """

    definition: KernelDefinition
    buffers: DeviceBuffers

    def __init__(
        self,
        env_class: type[Env],
        num_envs: int = 1,
        *,
        device: str = "cuda",
        debug: bool = False,
        **arguments: Any,
    ):
        self.device = _find_device(device)
        self._debug = debug
        self._bound: dict[str, Callable[[], None]] = {}  # launches, by kernel
        super().__init__(env_class, num_envs, **arguments)
        self._arguments |= {"device": device, "debug": debug}
        if num_envs >= PLACES:
            raise InvalidArgumentError(f"num_envs must be below {PLACES}; got {num_envs}")

    def _allocate(self, copy: bool) -> None:
        d, n = self.definition, self.num_envs
        #: The records of all lanes as bytes, (n, itemsize); see `records`.
        self.states, self._states = self._keep(d.layout.empty(n))
        self.buffers = DeviceBuffers(d, n, copy, self._mode == SAME_STEP, self.device)
        self._actions, self._actions_view = self._keep(d.allocate_actions(n))
        self._first_action, first_action = self._keep(d.allocate_actions(1))
        self._first_mask, first_mask = self._keep(d.allocate_mask(1))
        control = np.zeros(CONTROL_SLOTS, np.int64)
        control[FIRST] = NOTHING
        self._control, self._control_view = self._keep(control)
        self._chosen, self._chosen_view = self._keep(np.ones(n, bool))
        _, self._listed = self._keep(np.zeros(n, np.int64))
        self._fields: dict[tuple[int, str], Tensor] = {}
        self._every = torch.ones(n, dtype=torch.bool, device=self.device)
        _, self._params = self._keep(d.params)
        self._first = first_action, first_mask
        self._program = Program(cuda_codegen.load(d.kernels, d.shape), self.device)
        space = d.action_space
        low, high = getattr(space, "low", 0), getattr(space, "high", getattr(space, "nvec", 2))
        #: What the actions of a `Box` are clipped to, and rows are drawn from.
        self._bounds = [to_device(np.asarray(bound), self.device) for bound in (low, high)]

    def _keep(self, arrays: Any) -> tuple[Any, Any]:
        """A copy of arrays on the device, and the kernels' view of it."""
        tensors = to_device(arrays, self.device)
        return tensors, views(tensors, dtypes_of(arrays))

    # --- Gymnasium ---

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes, as `BatchEnv.reset` does; `reset_mask` may be a tensor on the device.

        A mask without a True is allowed here, so that nobody has to look whether it has one.

        Raises:
            InvalidActionError, gymnasium.error.ResetNeeded: see `check`.
        """
        self.check()
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Advance every lane.

        Args:
            actions: an (n,) or (n, …) tensor on the device; anything else is copied there.

        Raises:
            InvalidActionError: the actions have a wrong shape or dtype.
            gymnasium.error.ResetNeeded: `reset` was not called.
        """
        if not self._started:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        self._read_actions(actions)
        self._advance()
        self.buffers.show_rows()
        if self._debug:
            self.check()
        return self._outcome(True)

    def check(self) -> None:
        """Wait for the device, and raise what went wrong there since the last check.

        Raises:
            InvalidActionError: an action was illegal; names the first one and its lane.
            gymnasium.error.ResetNeeded: a lane was stepped after its end, with resets disabled.
        """
        if self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            return
        control = self._control.tolist()
        if not control[REFUSED]:
            return
        lane = control[FIRST] % PLACES
        self._control[REFUSED] = 0
        self._control[FIRST] = NOTHING
        if self._mode == DISABLED and control[OVER]:
            error: Exception = gymnasium.error.ResetNeeded(
                f"the episode of environment {lane} has ended: reset it with "
                'reset(options={"reset_mask": …})'
            )
        else:
            action, mask = (t[0].cpu().numpy() for t in (self._first_action, self._first_mask))
            error = self.definition.illegal_action(lane, action, mask)
        error.add_note(f"{control[REFUSED]} actions were refused since the last check.")
        raise error

    def close(self, **kwargs: Any) -> None:
        """Raise what is still to be raised; see `check`."""
        if not self.closed:
            super().close(**kwargs)
            self.check()

    def __del__(self) -> None:
        """Nothing: who drops an environment without closing it does not want to be told."""

    def write_into(self, **tensors: Any) -> None:
        """As `BatchEnv.write_into`, with contiguous tensors on the device."""
        super().write_into(**tensors)
        self._bound.clear()

    # --- the other faces ---

    def snapshot(self) -> Tensor:
        """A copy of all state records as bytes, (n, itemsize), on the device."""
        return self.states.clone()

    def restore(self, snapshot: Any) -> None:
        """Go back to a snapshot of all lanes: bytes, or the records of a batch on the CPU."""
        if isinstance(snapshot, np.ndarray) and snapshot.dtype == self.definition.layout.dtype:
            snapshot = to_device(snapshot, self.device)
        fits = isinstance(snapshot, Tensor) and snapshot.dtype == torch.uint8
        if not fits or snapshot.shape != self.states.shape:
            raise InvalidArgumentError("the snapshot has other lanes or fields than this batch")
        self.states.copy_(snapshot)
        self._started = True
        self._look_again()

    def records(self) -> np.ndarray[Any, Any]:
        return records(self.states, self.definition)

    @property
    def final_states(self) -> np.ndarray[Any, Any]:
        states: Any = self.buffers.final_states
        return records(states, self.definition)

    def latest_episodes(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        found: Any = self.buffers.returns, self.buffers.lengths
        return found[0].cpu().numpy(), found[1].cpu().numpy()

    def keys(self) -> Tensor:
        """128 bits that tell the states apart, (n, 2) `int64`: the bits of the model's keys."""
        arguments = self.arguments("key")
        self._program.bind("key", self.num_envs, arguments)()
        return arguments[-1].tensor

    def sample_actions(self, rng: torch.Generator | None = None) -> Tensor:
        """A legal action for every lane, drawn uniformly, on the device."""
        d, device = self.definition, self.device
        if self._masked:
            mask = self.buffers.mask
            return (torch.rand(mask.shape, generator=rng, device=device) * mask).argmax(-1)
        if d.discrete:
            return torch.randint(d.n_actions, (self.num_envs,), generator=rng, device=device)
        shape, (low, high) = self._actions.shape, self._bounds
        uniform = torch.rand(shape, generator=rng, device=device, dtype=torch.float64)
        return (low + uniform * (high - low)).to(self._actions.dtype)

    # --- the kernels ---

    def arguments(self, kernel: str) -> tuple[Any, ...]:
        """What a kernel of `cuda_codegen` is given."""
        b = self.buffers
        if kernel == "key":
            # Of a copy, because records are made canonical on the way.
            copied = View(self.states.clone(), self._states.dtype)
            out = torch.empty((self.num_envs, 2), dtype=torch.int64, device=self.device)
            return copied, self._params, View(out, np.dtype(np.uint64))
        shown = b.view("rows"), b.view("mask")
        control = self._control_view
        if kernel == "step":
            return (
                self._states,
                self._actions_view,
                self._params,
                self._mode,
                *shown,
                b.view("rewards"),
                b.view("terminated"),
                b.view("truncated"),
                b.view("ended"),
                b.view("returns"),
                b.view("lengths"),
                b.view("final_states"),
                b.view("final_observations"),
                b.view("final_mask"),
                self._listed,
                control,
            )
        return {
            "reset": (self._states, self._chosen_view, self._params),
            "view": (self._states, self._params, *shown),
            "restart": (self._states, self._params, *shown, self._listed, control),
            "settle": (self._states, self._actions_view, shown[1], *self._first, control),
        }[kernel]

    def _run(self, kernel: str) -> None:
        """Launch a kernel over all lanes."""
        if kernel not in self._bound:
            lanes = 1 if kernel == "settle" else self.num_envs
            self._bound[kernel] = self._program.bind(kernel, lanes, self.arguments(kernel))
        self._bound[kernel]()

    def _begin(self, chosen: Tensor) -> None:
        self._chosen.copy_(chosen)
        self._run("reset")

    def _look(self) -> None:
        self._run("view")
        self.buffers.show_rows()

    def _advance(self) -> None:
        self._run("step")
        if self._mode != DISABLED:
            self._run("restart")
        self._run("settle")

    # --- internal ---

    def _read_actions(self, actions: Any) -> None:
        """Copy actions into the buffer of the kernels; clip those of a `Box`.

        Raises:
            InvalidActionError: for a wrong shape, or a fraction where an integer is wanted.
        """
        given = torch.as_tensor(actions, device=self.device)
        buffer, space = self._actions, self.definition.action_space
        if given.shape != buffer.shape:
            problem = f"the shape is {tuple(given.shape)} and must be {tuple(buffer.shape)}"
        elif given.is_floating_point() and not buffer.is_floating_point():
            problem = f"the dtype is {given.dtype} and must be an integer"
        elif given.dtype == torch.bool and self.definition.discrete:
            problem = "the dtype is bool and must be an integer"
        else:
            if isinstance(space, spaces.Box):
                torch.clamp(given.to(buffer.dtype), *self._bounds, out=buffer)
            else:
                buffer.copy_(given)
            return
        raise InvalidActionError(f"the actions do not fit the action space {space}: {problem}")

    def _read_reset_mask(self, mask: Any) -> Tensor:
        if mask is None:
            return self._every
        mask = torch.as_tensor(mask, device=self.device)
        if mask.dtype != torch.bool or mask.shape != (self.num_envs,):
            raise InvalidArgumentError(
                f"reset_mask must be a bool tensor of shape ({self.num_envs},); got dtype "
                f"{mask.dtype}, shape {tuple(mask.shape)}"
            )
        if not self._started and not mask.all():
            raise InvalidArgumentError("the first reset must be of all environments")
        return mask

    def _set_out(self, chosen: Tensor, seed: Any, task: np.ndarray[Any, Any]) -> None:
        if seed is not None or not self._started:
            lanes, keys = self._draw_keys(seed, chosen.cpu().numpy())
            where = torch.tensor(lanes, device=self.device)
            field(self.states, self.definition, "rng")[where] = to_device(
                keys.view(np.int64), self.device
            )
        if self.definition.tasks:
            tasks = to_device(np.broadcast_to(task, self.num_envs).astype(np.int32), self.device)
            task_field = field(self.states, self.definition, "task")
            task_field.copy_(torch.where(chosen, tasks, task_field))
        limit = self.definition.max_episode_steps
        field(self.states, self.definition, "max_steps").masked_fill_(chosen, limit)

    def _apply_options(self, chosen: Tensor, options: dict[str, Any]) -> None:
        records = self.records()
        for i in np.flatnonzero(chosen.cpu().numpy()):
            self.prototype.apply_options(records[i], options)
        self.states.copy_(to_device(records, self.device))

    def _field(self, states: Tensor, name: str) -> Tensor:
        key = id(states), name
        if key not in self._fields:
            self._fields[key] = field(states, self.definition, name)
        return self._fields[key].clone()


def _find_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidArgumentError(f'device must be "cuda" or "cuda:0"; got {name!r}') from None
    if device.type != "cuda":
        raise InvalidArgumentError(f'device must be "cuda" or "cuda:0"; got {name!r}')
    if SIMULATED:
        return torch.device("cpu")
    require()
    if not torch.cuda.is_available():
        raise UnsupportedFaceError("torch sees no GPU on this machine")
    return device if device.index is not None else torch.device("cuda", torch.cuda.current_device())
