"""`VectorBudget`: the limits of `Budget` over a batch of episodes of texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorWrapper
from gymnasium.vector.utils import batch_space

from ..envs.kernel.batch import BatchEnv
from ..envs.kernel.errors import UnsupportedFaceError
from ..envs.textweb.plain import count_pieces
from .budget import Left, Limits

Array = np.ndarray[Any, Any]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


class VectorBudget(VectorWrapper):
    """A batch of texts in which turns, calls of tools and tokens can run out in each lane.

    Each lane plays what a `Budget` of the single environment plays. A lane whose message is refused
    stands still while the others step. A lane whose episode the budget ends is reset as the batch's
    autoreset mode has it, and so is what is left to it.

    Infos are those of the batch and of `Budget`, as arrays: `infos["budget"]` is a dict of (n,)
    `int64`, one for each limit, `refused` and `answer_only` are (n,) `bool`. Of same-step resets
    `final_obs` and `final_info` show what the last step did. In `episode`, lengths count the
    messages that were passed on.

    Args:
        env: a batch whose observations and actions are texts, as `gymnasium.make_vec` gives it;
            other wrappers go around this one.
        turns, calls, tokens, count: see `Budget`.

    Raises:
        InvalidArgumentError: see `Budget`.
        UnsupportedFaceError: it is no batch of the suite, or not of texts.
    """

    def __init__(
        self,
        env: Any,
        turns: int | None = None,
        calls: int | Mapping[str, int] | None = None,
        tokens: int | None = None,
        count: Callable[[str], int] = count_pieces,
    ):
        if not isinstance(env, BatchEnv):
            raise UnsupportedFaceError(
                f"a VectorBudget needs a batch of the suite, without wrappers; got {env!r}"
            )
        self._limits = Limits(env.prototype, turns, calls, tokens, count)
        super().__init__(env)
        self._batch, n = env, env.num_envs
        self._same_step = env.autoreset_mode is AutoresetMode.SAME_STEP
        self.single_observation_space = self._limits.space
        self.observation_space = batch_space(self._limits.space, n)
        self._left: Left = np.empty((n, len(self._limits.names)), np.int64)
        self._refused, self._said = np.empty(n, bool), np.empty(n, object)
        self._refill(np.ones(n, bool))

    @property
    def limits(self) -> tuple[str, ...]:
        """The names of the limits."""
        return self._limits.names

    @property
    def left(self) -> Left:
        """What is left of each limit in each lane, (n, limits) `int64`."""
        return self._left.copy()

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Start episodes in all lanes, or in some; see `BatchEnv.reset`."""
        self._batch.reset(seed=seed, options=options)
        chosen = (options or {}).get("reset_mask")
        self._refill(np.ones(self.num_envs, bool) if chosen is None else np.asarray(chosen))
        return self._present()

    def step(self, actions: Any) -> tuple[tuple[str, ...], Any, Any, Any, dict[str, Any]]:
        """Say something in every lane.

        Raises:
            InvalidActionError: names the first lane whose message is none of the action space; in
                no lane anything happened.
            gymnasium.error.ResetNeeded: `reset` was not called, or a lane has ended and resets are
                disabled.
        """
        env, limits = self._batch, self._limits
        messages = env.definition.allocate_actions(self.num_envs)
        env.definition.read_actions(actions, messages)
        begins = env.states["done"] != 0
        judged = map(limits.judge, messages, self._left)
        costs, refused, last, said = zip(*judged, strict=True)
        held = np.array(refused) & ~begins
        rewards, terminated, truncated = self._pass_on(messages, held)
        cut = np.array(last) & ~(begins | terminated | truncated)
        truncated |= cut
        self._left, self._refused, self._said[:] = limits.pay(self._left, costs), held, said
        self._refill(begins)
        self._end(cut)
        ended = terminated | truncated
        endings = self._endings(ended) if ended.any() else {}
        if self._same_step:
            if cut.any():
                env.reset(options={"reset_mask": cut, "task": env.states["task"]})
            self._refill(ended)
        texts, infos = self._present()
        return texts, rewards, terminated, truncated, infos | endings

    def snapshot(self) -> Array:
        """Records (n,) of what is left and of the environment's state in each lane.

        A lane of it is a snapshot of a single `Budget` with the same limits.
        """
        return self._limits.join(self._left, self._batch.snapshot())

    def restore(self, snapshot: Array) -> None:
        """Go back to a snapshot of all lanes.

        Raises:
            InvalidArgumentError: it is no snapshot, or one of other limits, fields or lanes.
        """
        left, states = self._limits.split(snapshot, self._batch.states)
        self._batch.restore(states)
        self._refill(np.ones(self.num_envs, bool))
        self._left = left

    def _pass_on(self, messages: Array, held: Flags) -> tuple[Any, Any, Any]:
        """Step the batch, then put the lanes that are held back to where they were.

        They get an empty message meanwhile, which may even end their episode: so the batch's books
        are put back too.
        """
        env, b = self._batch, self._batch.buffers
        books = ("observations", "returns", "lengths", "final_states")
        states, kept = env.states[held], [getattr(b, name)[held] for name in books]
        messages[held] = ""
        _, rewards, terminated, truncated, _ = env.step(messages)
        env.states[held] = states
        for name, rows in zip(books, kept, strict=True):
            getattr(b, name)[held] = rows
        for part in (rewards, terminated, truncated):
            part[held] = 0
        return rewards, terminated, truncated

    def _end(self, cut: Flags) -> None:
        """Enter episodes that the budget has ended into the batch's books, as it does with its own.

        Other resets than those of the same step are the batch's business from then on.
        """
        env, b = self._batch, self._batch.buffers
        env.states["done"][cut] = 1
        b.final_states[cut] = env.states[cut]
        b.returns[cut] = env.states["episode_return"][cut]
        b.lengths[cut] = env.states["step_count"][cut]
        if self._same_step:
            b.final_observations[cut] = b.observations[cut]

    def _endings(self, ended: Flags) -> dict[str, Any]:
        """Infos on the episodes that have just ended, as `BatchEnv` has them."""
        env = self._batch
        returns, lengths = env.latest_episodes()
        infos = {"episode": {"r": returns, "l": lengths}, "_episode": ended}
        if self._same_step:
            names = env.definition.metrics
            final = {name: env.final_states[name].copy() for name in names}
            infos["final_obs"] = self._tell(env.buffers.final_observations)
            infos["final_info"] = _masked(final | self._told(ended), ended)
            infos |= {"_final_obs": ended, "_final_info": ended}
        return infos

    def _refill(self, lanes: Flags) -> None:
        self._left[lanes], self._refused[lanes], self._said[lanes] = self._limits.full, False, ""

    def _present(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        texts, infos = self._batch.present()
        every = np.ones(self.num_envs, bool)
        return self._tell(texts), infos | _masked(self._told(every), every)

    def _tell(self, texts: Any) -> tuple[str, ...]:
        return tuple(map(self._limits.tell, texts, self._left, self._said))

    def _told(self, lanes: Flags) -> dict[str, Any]:
        left = dict(zip(self._limits.names, self._left.T.copy(), strict=True))
        return {
            "budget": _masked(left, lanes),
            "refused": self._refused.copy(),
            "answer_only": self._limits.answer_only(self._left),
        }


def _masked(entries: dict[str, Any], lanes: Flags) -> dict[str, Any]:
    """Infos with the arrays that say which lanes they speak of."""
    return entries | {f"_{name}": lanes for name in entries}
