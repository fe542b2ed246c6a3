"""The contract of an environment, as checks that anyone can run over their own.

Each function of `CHECKS` takes a `Subject` and raises `AssertionError` where the environment does
not keep the contract. In a test of your own::

    import pytest
    from spelunk.envs.kernel.conformance import CHECKS, Subject

    @pytest.mark.parametrize("check", CHECKS)
    def test_contract(check):
        check(Subject("you/YourEnv-v0", {"size": 5}, randomness="start"))
"""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from .errors import InvalidActionError, InvalidArgumentError, UnparseableActionError
from .face import restore
from .interfaces import check_interface, check_types
from .model_checks import check_model, check_numbers, check_way_back
from .subject import LANES, Subject, assert_row, element, fingerprint, over, plain, play, same, walk
from .vector import KernelVectorEnv

__all__ = ["CHECKS", "Subject", "fingerprint"]

_STEPS = 600


# --- equality of the faces -----------------------------------------------------------------------


def check_lanes_equal_singles(subject: Subject) -> None:
    """Lane i at seed s plays what the single environment plays at seed s + i, bit for bit.

    Lanes are reset at different times, so that their episodes end at different steps.
    """
    batch, rng = subject.batch(), np.random.default_rng(1)
    singles = [subject.single() for _ in range(LANES)]
    observations, infos = batch.reset(seed=100)
    for i, env in enumerate(singles):
        assert_row(i, observations, infos, *env.reset(seed=100 + i))
    ended = np.zeros(LANES, bool)
    for t in range(_STEPS):
        if 0 < t < 3 * LANES and t % 3 == 0:
            mask = np.arange(LANES) == t // 3
            observations, infos = batch.reset(options={"reset_mask": mask})
            assert_row(t // 3, observations, infos, *singles[t // 3].reset())
            ended[t // 3] = False
        actions = batch.sample_actions(rng)
        if isinstance(batch.single_action_space, spaces.Discrete) or subject.agents:
            # The step that resets a lane ignores its action.
            actions[ended] = -1
        observations, *outcomes, infos = batch.step(actions)
        for i, env in enumerate(singles):
            found = [plain(part[i]) for part in outcomes]
            if ended[i]:
                expected, info = env.reset()
                outcome: list[Any] = [plain(np.zeros_like(part[i])) for part in outcomes]
            else:
                expected, *parts, info = env.step(element(actions, i))
                outcome = [plain(part) for part in parts]
            assert_row(i, observations, infos, expected, info)
            assert found == outcome, f"lane {i}, step {t}: {found} is not {outcome}"
            ended[i] = over(*outcome[1:])


def check_same_step(subject: Subject) -> None:
    """In same-step mode the final observation, mask and metrics are those of the last step."""
    batch, rng = subject.batch(autoreset_mode="SAME_STEP"), np.random.default_rng(2)
    singles = [subject.single() for _ in range(LANES)]
    batch.reset(seed=200)
    for i, env in enumerate(singles):
        env.reset(seed=200 + i)
    endings = 0
    for t in range(20 * _STEPS):
        actions = batch.sample_actions(rng)
        observations, _, terminated, truncated, infos = batch.step(actions)
        for i, env in enumerate(singles):
            expected, _, *flags, info = env.step(element(actions, i))
            assert [plain(terminated[i]), plain(truncated[i])] == [plain(flag) for flag in flags]
            if over(*flags):
                endings += 1
                assert infos["_episode"][i]
                assert infos["_final_obs"][i]
                assert infos["episode"]["l"][i] == env.state["step_count"]
                assert same(infos["episode"]["r"][i], env.state["episode_return"])
                assert_row(i, infos["final_obs"], infos["final_info"], expected, info)
                expected, info = env.reset()
            assert_row(i, observations, infos, expected, info)
        if endings >= 2 * LANES and t > 50:
            return
    assert endings, "no episode ended; give the environment a time limit"


def check_disabled(subject: Subject) -> None:
    """With resets disabled, a lane that has ended must be reset by hand and the others go on."""
    batch, rng = subject.batch(autoreset_mode="DISABLED"), np.random.default_rng(3)
    batch.reset(seed=300)
    ended = np.zeros(LANES, bool)
    for _ in range(100 * _STEPS):
        _, _, terminated, truncated, _ = batch.step(batch.sample_actions(rng))
        ended = terminated.reshape(LANES, -1).all(axis=1) | truncated
        if ended.any():
            break
    assert ended.any(), "no episode ended; give the environment a time limit"
    with pytest.raises(gymnasium.error.ResetNeeded):
        batch.step(batch.sample_actions(rng))
    before = batch.snapshot()
    batch.reset(options={"reset_mask": ended})
    assert (batch.states[~ended] == before[~ended]).all()
    assert (batch.states["step_count"][ended] == 0).all()


def check_threads(subject: Subject) -> None:
    """Any number of threads gives the same bits."""
    one, two = (subject.batch(600, num_threads=n, autoreset_mode="SAME_STEP") for n in (1, 2))
    rng = np.random.default_rng(4)
    one.reset(seed=400)
    two.reset(seed=400)
    for _ in range(20):
        actions = one.sample_actions(rng)
        assert same(one.step(actions)[:4], two.step(actions)[:4])


def check_seeds(subject: Subject) -> None:
    """Equal seeds play equally; other seeds differ just where something is random."""
    first, again, other = (play(subject, seed) for seed in (5, 5, 6))
    assert first == again, "the same seed gave different episodes"
    assert (first != other) == (subject.randomness != "none"), (
        f"randomness is {subject.randomness!r}, but seeds 5 and 6 "
        f"{'agree' if first == other else 'differ'}"
    )


def check_reset_leaves_nothing(subject: Subject) -> None:
    """A reset after a long episode starts as a fresh environment does, in every field."""
    used, fresh, rng = subject.single(), subject.single(), np.random.default_rng(7)
    used.reset(seed=8)
    for _ in range(200):
        if over(*used.step(used.sample_action(rng))[2:4]):
            used.reset()
    observation, info = used.reset(seed=9)
    expected, expected_info = fresh.reset(seed=9)
    assert same(observation, expected)
    assert same(info, expected_info)
    for name in used.state.dtype.names:
        assert same(used.state[name], fresh.state[name]), f"field {name} survives a reset"


# --- snapshots -----------------------------------------------------------------------------------


def check_snapshots(subject: Subject) -> None:
    """Restoring a snapshot brings the same future back; copies and pickles go on alike."""
    env, rng = subject.single(), np.random.default_rng(10)
    env.reset(seed=11)
    for _ in range(3):
        if over(*env.step(env.sample_action(rng))[2:4]):
            env.reset()
    snapshot = env.snapshot()
    twins = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    future = list(walk(env, 12))
    for twin in twins:
        assert same(future, list(walk(twin, 12))), "a copy went another way"
    env.restore(snapshot)
    assert same(future, list(walk(env, 12))), "a restored environment went another way"
    with pytest.raises(InvalidArgumentError):
        env.restore(np.zeros(1, [("no", np.int8)])[0])
    final = snapshot.copy()
    final["done"] = 1
    env.restore(final)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def check_time_limit(subject: Subject) -> None:
    """The time limit counts on after a restore, inside the state and in Gymnasium's wrapper."""
    limit = 3
    bare = subject.construct(max_episode_steps=limit)
    made: list[Any] = [bare]
    if not subject.agents:
        made.append(gymnasium.make(subject.id, max_episode_steps=limit, **subject.kwargs))
    rng = np.random.default_rng(13)
    for seed in range(20):
        for env in made:
            env.reset(seed=seed)
        action = bare.sample_action(rng)
        flags = [env.step(action)[2:4] for env in made]
        if not over(*flags[0]):
            break
    else:
        return  # Every episode is over after one step.
    snapshots = [env.unwrapped.snapshot() for env in made]
    for _ in range(2):
        for env, snapshot in zip(made, snapshots, strict=True):
            restore(env, snapshot)
        for step in (2, 3):
            action = bare.sample_action(rng)
            flags = [env.step(action)[2:4] for env in made]
            for terminated, truncated in flags:
                assert truncated == (step == limit) or np.all(terminated)
            if over(*flags[0]):
                break
    unlimited = subject.batch(1, max_episode_steps=-1)
    unlimited.reset(seed=14)
    assert unlimited.states["max_steps"][0] == -1


# --- actions -------------------------------------------------------------------------------------


def check_illegal_actions(subject: Subject) -> None:
    """Actions outside the space or the mask raise the named error, and nothing happens."""
    env, batch, rng = subject.single(), subject.batch(), np.random.default_rng(15)
    env.reset(seed=16)
    batch.reset(seed=16)
    space, mask = env.action_space, env.action_mask()
    wrong: list[Any] = []
    if isinstance(space, spaces.Discrete):
        wrong = [-1, int(space.n), 2**40, 0.5, "left"]
        if mask is not None:
            wrong += np.flatnonzero(mask == 0)[:5].tolist()
    elif env.definition.integers:
        row = env.sample_action(rng)
        wrong = [np.full_like(row, value) for value in (-1, env.definition.n_actions)]
        wrong += [row[:-1], row + 0.5, "left"]
    elif isinstance(space, spaces.Box):
        wrong = [np.full(space.shape, np.nan, space.dtype), np.zeros((*space.shape, 2))]
    for action in wrong:
        before = env.snapshot()
        with pytest.raises(InvalidActionError):
            env.step(action)
        assert env.snapshot() == before, "an illegal action changed the state"
    for action in wrong[:1] if isinstance(space, spaces.Box) else wrong[:2]:
        actions = batch.sample_actions(rng)
        actions[3] = action
        before = batch.snapshot()
        with pytest.raises(InvalidActionError, match="environment 3"):
            batch.step(actions)
        assert (batch.snapshot() == before).all(), "an illegal action changed the batch"


def check_masks(subject: Subject) -> None:
    """Masks are int8 rows with a legal action wherever the episode goes on, alike everywhere."""
    env, rng = subject.single(), np.random.default_rng(17)
    _, info = env.reset(seed=18)
    for _ in range(100):
        mask = env.action_mask()
        assert ("action_mask" in info) == (mask is not None)
        if mask is None:
            return
        assert same(info["action_mask"], mask)
        assert mask.shape == env.definition.allocate_mask(1).shape[1:]
        assert set(np.unique(mask)) <= {0, 1}
        assert mask.any()
        *_, terminated, truncated, info = env.step(env.sample_action(rng))
        if over(terminated, truncated):
            _, info = env.reset()


def check_text(subject: Subject) -> None:
    """States can be told in words, and every legal action said in words is understood."""
    env, rng = subject.single(), np.random.default_rng(19)
    env.reset(seed=20)
    for _ in range(10):
        words = env.describe()
        assert isinstance(words, str)
        assert words.strip()
        actions = [env.sample_action(rng) for _ in range(5)]
        if isinstance(env.action_space, spaces.Discrete):
            mask = env.action_mask()
            actions = list(range(env.action_space.n)) if mask is None else np.flatnonzero(mask)
        for action in actions[:200]:
            said = env.action_words(action)
            assert same(env.parse(said), action, near=True), f"{said!r} was misunderstood"
        with pytest.raises(UnparseableActionError):
            env.parse("\x00 colourless green ideas")
        if over(*env.step(env.sample_action(rng))[2:4]):
            env.reset()


def check_rendering(subject: Subject) -> None:
    """Both render modes show something, without a display."""
    picture_env, text_env = (
        subject.single(render_mode="rgb_array"),
        subject.single(render_mode="ansi"),
    )
    for env in (picture_env, text_env):
        env.reset(seed=21)
    picture, text = picture_env.render(), text_env.render()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture)) > 2, "the picture is blank"
    assert isinstance(text, str)
    assert text.strip()
    with pytest.raises(InvalidArgumentError):
        subject.construct(render_mode="crayon")


def check_arguments(subject: Subject) -> None:
    """A wrong argument is refused at construction, and a wrong option at reset."""
    with pytest.raises(InvalidArgumentError, match="accepted"):
        subject.construct(no_such_argument=1)
    with pytest.raises(InvalidArgumentError):
        subject.construct(max_episode_steps=0)
    with pytest.raises(InvalidArgumentError, match="accepted"):
        subject.single().reset(options={"no_such_option": 1})


# --- the model face ------------------------------------------------------------------------------


def check_updates(subject: Subject) -> None:
    """Rows that are only changed show what rows written anew do, wherever they are handed out."""
    rng = np.random.default_rng(26)
    for copied in (True, False):
        batch = subject.batch(copy=copied, autoreset_mode="SAME_STEP")
        if not isinstance(batch, KernelVectorEnv):
            return
        model = subject.single().model
        batch.reset(seed=27)
        for t in range(_STEPS // 3):
            if t % 50 == 49:
                batch.reset(options={"reset_mask": np.arange(LANES) == t % LANES})
            observations = batch.step(batch.sample_actions(rng))[0]
            expected = model.observe(batch.states)
            if isinstance(expected, tuple):
                expected = expected._asdict()  # pyright: ignore[reportAttributeAccessIssue]
            assert same(observations, expected), f"step {t}: a row is not what observe writes"


def check_compiled_once(subject: Subject) -> None:
    """Batches of different sizes share one compiled signature of each loop."""
    for size in (3, 5):
        batch = subject.batch(size, num_threads=1)
        batch.reset(seed=24)
        batch.step(batch.sample_actions(np.random.default_rng(25)))
    if not isinstance(batch, KernelVectorEnv):
        return
    for name in ("step", "reset", "first_illegal"):
        signatures = getattr(getattr(batch.definition.loops.module, name), "signatures", [0])
        assert len(signatures) == 1, f"{name} was compiled {len(signatures)} times"


CHECKS: tuple[Callable[[Subject], None], ...] = (
    check_interface,
    check_types,
    check_lanes_equal_singles,
    check_same_step,
    check_disabled,
    check_threads,
    check_seeds,
    check_reset_leaves_nothing,
    check_snapshots,
    check_time_limit,
    check_illegal_actions,
    check_masks,
    check_text,
    check_rendering,
    check_arguments,
    check_updates,
    check_model,
    check_numbers,
    check_way_back,
    check_compiled_once,
)
