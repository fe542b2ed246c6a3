import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.core.rollout import EpisodeStatistics, generalized_advantages

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=5)


@given(lengths, st.floats(0.1, 1), st.floats(0, 1), st.integers(0, 100))
def test_against_the_definition(lengths, gamma, lam, seed):
    """The λ-weighted sum of temporal-difference errors, episode by episode (equation 16)."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    rewards, values, last = rng.normal(size=total), rng.normal(size=total), rng.normal()
    ended = np.zeros(total, bool)
    ended[np.cumsum(lengths)[:-1] - 1] = True
    expected = np.zeros(total)
    for t in range(total):
        weight = 1.0
        for k in range(t, total):
            following = 0.0 if ended[k] else (values[k + 1] if k + 1 < total else last)
            expected[t] += weight * (rewards[k] + gamma * following - values[k])
            if ended[k]:
                break
            weight *= gamma * lam
    column = [torch.tensor(x)[:, None].float() for x in (rewards, np.append(values, last))]
    found = generalized_advantages(*column, torch.tensor(ended)[:, None], gamma, lam)
    assert np.allclose(found[:, 0], expected, atol=1e-4)


class Ended:
    """A batch that tells of these episodes."""

    def __init__(self, returns, lengths):
        self.latest_episodes = lambda: (np.array(returns), np.array(lengths))


def test_statistics_wait_for_the_long_episodes():
    """Lucky short episodes must not pass for the mean before the others are over."""
    statistics = EpisodeStatistics(2)
    for _ in range(5):
        statistics.look(Ended([1.0, 0.0], [3, 0]))
        assert statistics.means() == {}
    statistics.look(Ended([0.0, 0.0], [0, 100]))
    assert statistics.means() == {"return_mean": 0.5, "length_mean": 51.5}
