"""Experience replay in preallocated arrays, of returns over one or more steps."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...envs.kernel.errors import InvalidArgumentError
from ..core.trainer import Addition, Arrays
from .segment_tree import SegmentTree

#: Added to an error, so that a transition without one keeps a chance (Schaul et al. 2016, 3.3).
_SMALLEST_ERROR = 1e-6

#: Raw observation rows (lanes, width), and the legal actions there (lanes, actions) `bool`; None
#: where all are always legal.
Seen = tuple[Tensor, Tensor | None]


class Batch(NamedTuple):
    """Transitions, (k, …).

    Attributes:
        rows: (k, width) raw observations.
        masks: (k, actions) `bool`, the legal actions there; None where all are always legal.
        actions: (k,) `int64`.
        returns: (k,) `float32`, discounted sums of the rewards of the next n steps, or of those up
            to the end of the episode.
        next_rows: (k, width) raw observations after those steps; the final one of an episode that
            was cut off. Of an episode that terminated they mean nothing.
        next_masks: (k, actions) `bool` or None, of `next_rows`.
        discounts: (k,) `float32`, what the value of `next_rows` is multiplied by: γ to the power
            of the number of steps; 0 where the episode terminated.
        places: (k,) `int64`, where the transitions are in the replay.
        weights: (k,) `float32`, importance weights; None where all are 1.
    """

    rows: Tensor
    masks: Tensor | None
    actions: Tensor
    returns: Tensor
    next_rows: Tensor
    next_masks: Tensor | None
    discounts: Tensor
    places: Tensor
    weights: Tensor | None


class Replay:
    """The latest transitions of many lanes, sampled uniformly (Lin 1992).

    Every observation is stored once. Time slots form a ring; a slot holds, for every lane, what was
    seen and what was done then, so that the next observation is in the next slot. Where an episode
    was cut off, the next slot already shows the next episode: the final observations have a ring of
    their own, which grows with the need.

    Args:
        capacity: how many transitions are kept, rounded up to whole slots.
        rows: (lanes, width) the first observations, for their shape and dtype.
        masks: (lanes, actions) their legal actions; None where all are always legal.
        n_steps: the steps n of a return.
        gamma: the discount.
        device: where the arrays live.

    Raises:
        InvalidArgumentError: returns of n steps do not fit.

    Attributes:
        time: how many steps of all lanes have been added.
    """

    def __init__(
        self, capacity: int, rows: Tensor, masks: Tensor | None, n_steps: int, gamma: float,
        device: str,
    ):  # fmt: skip
        n, width = rows.shape
        # One more: the present observations are part of no transition yet.
        slots = -(-capacity // n) + 1
        if not 1 <= n_steps < slots:
            raise InvalidArgumentError(
                f"returns of {n_steps} steps of {n} environments need at least one step and a "
                f"replay of {n * n_steps} transitions; got {capacity}"
            )
        make: dict[str, Any] = {"device": device}
        self._lanes, self._slots, self._ring = n, slots, slots * n
        self.n_steps, self.time = n_steps, 0
        self.rows = torch.zeros((slots, n, width), dtype=rows.dtype, **make)
        self.masks = None
        if masks is not None:
            self.masks = torch.zeros((slots, *masks.shape), dtype=torch.bool, **make)
        self.actions = torch.zeros((slots, n), dtype=torch.int32, **make)
        self.rewards = torch.zeros((slots, n), **make)
        self.terminated = torch.zeros((slots, n), dtype=torch.bool, **make)
        #: Whether the episode was cut off after this step, and did not terminate.
        self.cut = torch.zeros_like(self.terminated)
        self.final_place = torch.zeros((slots, n), dtype=torch.int32, **make)
        # The last row of either takes what is to be dropped, so that nothing waits for a count.
        self.final_rows = torch.zeros((1, width), dtype=rows.dtype, **make)
        self.final_masks = None if self.masks is None else torch.zeros_like(self.masks[0, :1])
        self._cursor = torch.zeros((), dtype=torch.int64, **make)
        self._room = 0
        self._powers = torch.tensor([gamma**k for k in range(n_steps + 1)], **make)
        self._ahead = n * torch.arange(n_steps, **make)
        self.look(rows, masks)

    @property
    def nbytes(self) -> int:
        """The memory it takes, in bytes."""
        return sum(t.nbytes for t in vars(self).values() if isinstance(t, Tensor))

    @property
    def held(self) -> int:
        """The time slots that hold transitions."""
        return min(self.time, self._slots - 1)

    def __len__(self) -> int:
        """The transitions that can be sampled: n steps on from them are known."""
        return max(0, self.held - self.n_steps + 1) * self._lanes

    def look(self, rows: Tensor, masks: Tensor | None) -> None:
        """Take note of the present observations (lanes, width) and legal actions."""
        slot = self.time % self._slots
        self.rows[slot].copy_(rows)
        if self.masks is not None and masks is not None:
            self.masks[slot].copy_(masks)

    def present(self) -> Seen:
        """What `look` took note of."""
        slot = self.time % self._slots
        return self.rows[slot], None if self.masks is None else self.masks[slot]

    def add(
        self,
        actions: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        final: Seen | None,
    ) -> None:
        """Add a step of all lanes from the present observations; `look` at what it led to next.

        Args:
            actions: (lanes,).
            rewards: (lanes,).
            terminated: (lanes,) `bool`.
            truncated: (lanes,) `bool`.
            final: what was seen at the end of the episodes that have ended with this step; None
                where none has.
        """
        slot = self.time % self._slots
        if final is not None and self._room < self._lanes:
            self._make_room(int(self.cut.sum()))
        self.actions[slot].copy_(actions)
        self.rewards[slot].copy_(rewards)
        self.terminated[slot].copy_(terminated)
        self.cut[slot].copy_(truncated & ~terminated)
        if final is not None:
            self._keep_final(slot, *final)
        self.time += 1

    def _keep_final(self, slot: int, rows: Tensor, masks: Tensor | None) -> None:
        cut, device = self.cut[slot], self.cut.device
        self._room -= self._lanes
        ring = len(self.final_rows) - 1
        place = (self._cursor + cut.cumsum(0) - 1) % ring
        self.final_place[slot].copy_(place)
        place = torch.where(cut, place, ring)
        self.final_rows[place] = rows.to(device)
        if self.final_masks is not None and masks is not None:
            self.final_masks[place] = masks.to(device, torch.bool)
        self._cursor = (self._cursor + cut.sum()) % ring

    def _make_room(self, count: int) -> None:
        """With few places left beside the latest `count` final observations, which stay, get more.

        How many a step adds only the device knows: so much is assumed that this is seldom called.
        """
        ring, needed = len(self.final_rows) - 1, count + 16 * self._lanes
        if needed > ring:
            size = 2 * needed
            first = self._cursor - count
            kept = (first + torch.arange(count, device=self.cut.device)) % max(ring, 1)
            for name in ("final_rows", "final_masks"):
                old = getattr(self, name)
                if old is not None:
                    new = old.new_zeros((size + 1, old.shape[1]))
                    new[:count] = old[kept]
                    setattr(self, name, new)
            self.final_place.sub_(first).remainder_(max(ring, 1))
            self._cursor.fill_(count)
            ring = size
        self._room = ring - count

    def sample(self, n: int, generator: torch.Generator) -> Batch:
        """`n` transitions drawn with replacement."""
        places = torch.randint(len(self), (n,), generator=generator, device=self.cut.device)
        oldest = (self.time - self.held) * self._lanes
        return self._batch((places + oldest) % self._ring, None)

    def _batch(self, places: Tensor, weights: Tensor | None) -> Batch:
        """The transitions in some places of the ring, (k,)."""
        cut, terminated = self.cut.flatten(), self.terminated.flatten()
        path = (places[:, None] + self._ahead) % self._ring
        over = cut.take(path) | terminated.take(path)
        goes_on = over.cumsum(1) == over  # No step before this one was the last.
        steps = goes_on.sum(1)
        last = path.gather(1, steps[:, None] - 1).squeeze(1)
        masks = next_masks = None
        if self.masks is not None:
            masks = self.masks.flatten(0, 1).index_select(0, places)
            next_masks = self._following(self.masks, self.final_masks, last)
        return Batch(
            rows=self.rows.flatten(0, 1).index_select(0, places),
            masks=masks,
            actions=self.actions.take(places).long(),
            returns=(self.rewards.take(path) * goes_on) @ self._powers[:-1],
            next_rows=self._following(self.rows, self.final_rows, last),
            next_masks=next_masks,
            discounts=self._powers.take(steps) * ~terminated.take(last),
            places=places,
            weights=weights,
        )

    def _following(self, ring: Tensor, finals: Any, last: Tensor) -> Tensor:
        """What was seen after the steps in some places (k,): (k, …)."""
        found = ring.flatten(0, 1).index_select(0, (last + self._lanes) % self._ring)
        cut, final = self.cut.take(last), self.final_place.take(last)
        if cut.device.type != "cpu":  # Which they are only the device knows: look up all.
            return torch.where(cut[:, None], finals.index_select(0, final), found)
        few = cut.nonzero().squeeze(1)
        return found.index_copy_(0, few, finals.index_select(0, final[few]))

    def added(self, since: int) -> Addition:
        """The transitions added since a time, one slot after the other."""
        oldest = self.time - self.held
        slots = torch.arange(max(since, oldest), self.time) % self._slots
        slots = slots.to(self.cut.device)
        names = ("rows", "masks", "actions", "rewards", "terminated", "cut")
        parts = {name: getattr(self, name) for name in names}
        kept = {name: part[slots] for name, part in parts.items() if part is not None}
        final = self.final_place[slots][kept["cut"]]
        kept["final_rows"] = self.final_rows[final]
        if self.final_masks is not None:
            kept["final_masks"] = self.final_masks[final]
        arrays = {name: part.cpu().numpy() for name, part in kept.items()}
        return Addition(arrays, self.time, oldest)

    def load(self, arrays: Arrays, time: int) -> None:
        """Hold the latest of what `added` returned, one after the other, as at that time."""
        self.time = time
        parts = {k: torch.from_numpy(v).to(self.cut.device) for k, v in arrays.items()}
        slots = (torch.arange(time - self.held, time) % self._slots).to(self.cut.device)
        finals = {name: parts.pop(name) for name in ("final_rows", "final_masks") if name in parts}
        self.cut.zero_()
        for name, part in parts.items():
            getattr(self, name)[slots] = part[len(part) - self.held :]
        cut = self.cut[slots]
        count = int(cut.sum())
        self._make_room(count)
        for name, part in finals.items():
            getattr(self, name)[:count] = part[len(part) - count :]
        order = (cut.flatten().cumsum(0) - 1).clamp(min=0).view_as(cut)
        self.final_place[slots] = order.int()
        self._cursor.fill_(count)


class PrioritizedReplay(Replay):
    """Transitions sampled in proportion to their errors.

    Schaul et al. 2016, "Prioritized experience replay", with proportional priorities (section 3.3)
    from strata of equal probability. A new transition has the greatest priority met so far.

    Args:
        capacity, rows, masks, n_steps, gamma, device: see `Replay`.
        exponent: α, to which errors are raised; 0 samples uniformly.

    Attributes:
        importance_exponent: β, to which importance weights are raised; 1 makes up for all of the
            bias.
    """

    def __init__(
        self, capacity: int, rows: Tensor, masks: Tensor | None, n_steps: int, gamma: float,
        device: str, exponent: float,
    ):  # fmt: skip
        super().__init__(capacity, rows, masks, n_steps, gamma, device)
        self._exponent = exponent
        self._tree = SegmentTree(self._ring)
        self._greatest = 1.0
        self.importance_exponent = 1.0

    @property
    def nbytes(self) -> int:
        return super().nbytes + self._tree.nbytes

    def add(
        self,
        actions: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        final: Seen | None,
    ) -> None:
        super().add(actions, rewards, terminated, truncated, final)
        # The slot of the present observations is no longer a transition; the one n steps back is.
        self._set_slot(self.time, 0.0)
        if len(self):
            self._set_slot(self.time - self.n_steps, self._greatest)

    def _set_slot(self, time: int, priority: float) -> None:
        first = time % self._slots * self._lanes
        places = np.arange(first, first + self._lanes)
        self._tree.set(places, np.full(self._lanes, priority))

    def sample(self, n: int, generator: torch.Generator) -> Batch:
        device = self.cut.device
        uniform = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        places = self._tree.sample(uniform.cpu().numpy())
        priorities = self._tree.values[places]
        weights = (priorities / priorities.min()) ** -self.importance_exponent
        return self._batch(
            torch.from_numpy(places).to(device), torch.from_numpy(weights).float().to(device)
        )

    def update(self, places: Tensor, errors: Tensor) -> None:
        """Give transitions the priorities of their latest errors.

        Args:
            places: (k,), as a batch has them.
            errors: (k,) not negative.
        """
        found = errors.double().cpu().numpy()
        priorities = (found + _SMALLEST_ERROR) ** self._exponent
        self._greatest = max(self._greatest, float(priorities.max()))
        self._tree.set(places.cpu().numpy(), priorities)

    def priorities(self) -> Arrays:
        """What `load_priorities` needs beside the transitions."""
        return {"priorities": self._tree.values, "greatest": np.array(self._greatest)}

    def load_priorities(self, arrays: Arrays) -> None:
        """Put back what `priorities` gave."""
        self._tree.set(np.arange(self._ring), arrays["priorities"])
        self._greatest = arrays["greatest"].item()
