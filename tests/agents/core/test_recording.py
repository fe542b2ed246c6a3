import imageio.v3 as imageio
import numpy as np
import pytest

from spelunk.agents.core import recording
from spelunk.agents.core.agent import RandomAgent
from spelunk.agents.core.recording import record
from spelunk.envs.kernel.errors import UnsupportedFaceError
from spelunk.envs.registry import Entry


@pytest.fixture
def film(tmp_path, monkeypatch):
    """Films the random policy; gives the pictures, of which the file keeps equal ones once."""
    written = []
    write = imageio.imwrite

    def keep(path, frames, **kwargs):
        written.append(frames)
        write(path, frames, **kwargs)

    monkeypatch.setattr(imageio, "imwrite", keep)

    def film(**kwargs):
        record(RandomAgent(), "spelunk/DoorKey-v0", tmp_path / "agent.gif", **kwargs)
        assert (imageio.imread(tmp_path / "agent.gif", index=0) == written[-1][0]).all()
        return written[-1]

    return film


def test_episodes_follow_each_other_each_with_its_last_picture_held(film):
    one = film(size=5, horizon=6, episodes=1)
    assert len(one) == 1 + 5 + recording._LAST
    assert (one[-recording._LAST :] == one[-1]).all()
    two = film(size=5, horizon=6, episodes=2)
    assert len(two) == 2 * len(one)
    assert (two[: len(one)] == one).all()
    assert (two[len(one)] != one[0]).any(), "the next episode has the next seed"


@pytest.mark.parametrize("max_frames", [20, 9, 10, 13])
def test_a_film_has_an_end(film, max_frames):
    whole = film(size=5, horizon=6)
    assert len(whole) == 30
    assert np.array_equal(film(size=5, horizon=6, max_frames=max_frames), whole[:max_frames])


def test_nobody_acts_for_what_is_not_shown(tmp_path):
    acted = []

    class Counting(RandomAgent):
        def act(self, observations, infos):
            acted.append(1)
            return super().act(observations, infos)

    path = tmp_path / "agent.gif"
    record(Counting(), "spelunk/DoorKey-v0", path, size=5, horizon=100, max_frames=9)
    assert len(acted) == 8


def test_episodes_may_differ_in_size(film):
    frames = film(size=[5, 8], horizon=2, episodes=3)
    assert frames.shape[1:3] == (256, 256)
    assert {bool(frame[200:].any()) for frame in frames} == {True, False}


def test_an_environment_that_cannot_be_drawn(film, tmp_path, monkeypatch):
    row = Entry("spelunk/DoorKey-v0", "gridworld.door_key:DoorKey", "start", faces=("single",))
    monkeypatch.setattr(recording, "entry", lambda _: row)
    with pytest.raises(UnsupportedFaceError, match="cannot be drawn"):
        film()
    assert not [*tmp_path.iterdir()]
