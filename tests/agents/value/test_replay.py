import numpy as np
import pytest
import torch

from spelunk.agents.value.replay import PrioritizedReplay, Replay
from spelunk.envs.kernel import InvalidArgumentError

LANES, GAMMA = 3, 0.9


class Story:
    """Episodes of every lane with random ends, told to a replay; every observation is a number."""

    def __init__(self, replay_class=Replay, capacity=30, n_steps=1, seed=0, p_end=0.3, *args):
        self.rng = np.random.default_rng(seed)
        self.p_end = p_end
        self.counter, self.time = 0, 0
        self.transitions = {}
        self.seen = self.observe()
        self.replay = replay_class(capacity, *self.seen, n_steps, GAMMA, "cpu", *args)
        self.replays = [self.replay]

    def observe(self):
        """Observations never seen before; the mask tells them apart, too."""
        rows = torch.arange(self.counter, self.counter + LANES)[:, None]
        self.counter += LANES
        return rows, self.mask(rows)

    @staticmethod
    def mask(rows):
        return rows % torch.tensor([2, 3, 5]) == 0

    def step(self):
        rewards = torch.from_numpy(self.rng.normal(size=LANES)).float()
        terminated = torch.from_numpy(self.rng.random(LANES) < self.p_end / 2)
        truncated = torch.from_numpy(self.rng.random(LANES) < self.p_end)
        actions = torch.from_numpy(self.rng.integers(0, 3, LANES))
        ended = terminated | truncated
        following = self.observe()
        final = self.observe() if ended.any() else None
        for lane in range(LANES):
            after = final if final is not None and ended[lane] else following
            self.transitions[self.time, lane] = (
                self.seen[0][lane].item(), actions[lane].item(), rewards[lane].item(),
                bool(terminated[lane]), bool(ended[lane]), after[0][lane].item(),
            )  # fmt: skip
        for replay in self.replays:
            replay.add(actions, rewards, terminated, truncated, final)
            replay.look(*following)
        self.seen, self.time = following, self.time + 1

    def tell(self, steps):
        for _ in range(steps):
            self.step()
        return self

    def expected(self, time, lane, n_steps):
        """Row, action, return, next row, discount of a transition, step by step."""
        row, action, *_ = self.transitions[time, lane]
        total = 0.0
        for k in range(n_steps):
            _, _, reward, terminated, ended, after = self.transitions[time + k, lane]
            total += GAMMA**k * reward
            if ended:
                break
        return row, action, total, after, 0.0 if terminated else GAMMA ** (k + 1), terminated


def drawn(replay, n):
    return replay.sample(n, torch.Generator().manual_seed(0))


def check(story, n_steps, held):
    """Everything that is drawn is right, and all is drawn that should be."""
    batch = drawn(story.replay, 20 * len(story.replay))
    places = {row[0]: key for key, row in story.transitions.items()}
    found = set()
    for i, row in enumerate(batch.rows[:, 0].tolist()):
        time, lane = places[row]
        found.add((time, lane))
        _, action, total, after, discount, terminated = story.expected(time, lane, n_steps)
        assert batch.actions[i] == action
        assert batch.returns[i].item() == pytest.approx(total, abs=1e-5)
        assert batch.discounts[i].item() == pytest.approx(discount)
        assert (batch.masks[i] == story.mask(batch.rows[i])).all()
        if not terminated:
            assert batch.next_rows[i].item() == after
            assert (batch.next_masks[i] == story.mask(batch.next_rows[i])).all()
    times = range(story.time - held, story.time - n_steps + 1)
    assert found == {(time, lane) for time in times for lane in range(LANES)}
    assert len(story.replay) == len(found)


@pytest.mark.parametrize("n_steps", [1, 3, 5])
@pytest.mark.parametrize("steps", [6, 10, 11, 47])
@pytest.mark.parametrize("replay_class", [Replay, PrioritizedReplay])
def test_returns_and_what_follows_agree_with_the_episodes(replay_class, steps, n_steps):
    exponents = (1.0,) if replay_class is PrioritizedReplay else ()
    story = Story(replay_class, 30, n_steps, steps, 0.3, *exponents).tell(steps)
    check(story, n_steps, min(steps, 10))


def test_more_final_observations_than_there_was_room_for():
    """Few at first, for so long that their ring has come around when many follow."""
    story = Story(capacity=300, p_end=0.04).tell(900)
    room = len(story.replay.final_rows)
    story.p_end = 0.9
    for _ in range(6):
        check(story, 1, 100)
        story.tell(25)
    assert len(story.replay.final_rows) > room


def test_every_observation_is_stored_once():
    """A million transitions of 147 bytes take 147 MB and little more."""
    rows = torch.zeros((64, 147), dtype=torch.uint8)
    replay = Replay(1_000_000, rows, torch.ones((64, 7), dtype=torch.bool), 1, 0.99, "cpu")
    assert replay.rows.dtype == torch.uint8
    held = 147 + 7 + 4 + 4 + 4 + 2
    assert 1e6 * held <= replay.nbytes < 1.01e6 * held
    prioritized = PrioritizedReplay(1_000_000, rows, None, 1, 0.99, "cpu", 0.6)
    assert prioritized.nbytes == pytest.approx(1e6 * (held - 7) + 2 * 8 * 2**20, rel=0.01)


@pytest.mark.parametrize("pauses", [(47,), (2, 3), (3, 4, 40), (20, 5, 1, 21), (0, 47)])
def test_a_replay_made_of_additions_is_the_same(pauses):
    story = Story(n_steps=2)
    parts, position = [], 0
    for steps in pauses:
        story.tell(steps)
        addition = story.replay.added(position)
        position = addition.position
        parts.append(addition.arrays)
        assert len(addition.arrays["rows"]) == min(steps, 10)
        assert addition.oldest == max(0, story.time - 10)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    other = Replay(30, *story.seen, 2, GAMMA, "cpu")
    other.load(arrays, story.time)
    other.look(*story.seen)
    # They go on alike, though their final observations lie in other places.
    story.replays.append(other)
    for _ in range(3):
        for a, b in zip(drawn(story.replay, 200), drawn(other, 200), strict=True):
            assert a is b is None or torch.equal(a, b)
        story.tell(5)


def test_priorities_decide_how_often():
    story = Story(PrioritizedReplay, 30, 1, 0, 0.3, 0.5).tell(25)
    replay = story.replay
    assert np.bincount(drawn(replay, 30).places, minlength=33).max() == 1  # All alike at first.
    places = drawn(replay, 30).places
    errors = torch.arange(30.0)
    replay.update(places, errors)
    replay.importance_exponent = 0.7
    batch = drawn(replay, 20_000)
    expected = (errors.double() + 1e-6).sqrt()
    share = torch.bincount(batch.places, minlength=33)[places] / 20_000
    assert share.tolist() == pytest.approx((expected / expected.sum()).tolist(), abs=1e-3)
    probability = torch.zeros(33, dtype=torch.float64)
    probability[places] = expected / expected.sum()
    weights = (30 * probability[batch.places]) ** -0.7
    assert batch.weights.tolist() == pytest.approx((weights / weights.max()).tolist(), rel=1e-4)


def test_new_transitions_come_with_the_greatest_priority():
    story = Story(PrioritizedReplay, 30, 1, 0, 0.3, 1.0).tell(12)
    story.replay.update(torch.tensor([0, 5]), torch.tensor([7.0, 0.5]))
    story.tell(1)
    values = story.replay._tree.values
    assert values[12 % 11 * LANES :][:LANES] == pytest.approx([7] * LANES, abs=1e-5)
    assert (values[13 % 11 * LANES :][:LANES] == 0).all()


def test_returns_too_long_for_the_replay():
    with pytest.raises(InvalidArgumentError, match="a replay of 33 transitions; got 30"):
        Story(n_steps=11)
    with pytest.raises(InvalidArgumentError, match="at least one step"):
        Story(n_steps=0)
