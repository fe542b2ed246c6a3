"""The model face, as checks of the conformance kit."""

from typing import Any

import numpy as np
import pytest

from .env import KernelEnv
from .errors import InvalidArgumentError
from .subject import Subject, plain, same


def check_model(subject: Subject) -> None:
    """The model makes the single environment's steps, on copies, and tells states apart."""
    env = subject.single()
    if not isinstance(env, KernelEnv):
        return
    model, rng = env.model, np.random.default_rng(22)
    env.reset(seed=23)
    env.state["max_steps"] = -1
    states = model.reset([23])
    assert same(model.key(states), model.key(env.snapshot()[None]))
    for _ in range(30):
        action, kept = env.sample_action(rng), states.copy()
        actor = int(env.state.turn) if subject.agents and env.definition.discrete else ...
        _, reward, terminated, _, _ = env.step(action)
        if model.deterministic:
            after, rewards, ends = model.step(states, np.asarray(action)[None])
            assert (states == kept).all(), "the model changed the states it was given"
            assert (plain(rewards[0]), plain(ends[0])) == (plain(reward), plain(terminated))
            assert same(model.key(after), model.key(env.snapshot()[None]))
            if env.definition.discrete:
                children = model.successors(states)
                assert children.legal[0, action]
                assert children.costs[0, action] == -np.asarray(reward)[actor]
                assert same(children.rewards[0, action], np.float32(reward))
                assert same(children.terminated[0, action], np.asarray(terminated))
                assert same(model.key(children.states[:, action]), model.key(after))
                illegal = children.legal[0] == 0
                assert np.isinf(children.costs[0, illegal]).all()
        else:
            with pytest.raises(InvalidArgumentError):
                model.step(states, np.asarray(action)[None])
        if np.all(terminated):
            return
        states = env.snapshot()[None]


def check_way_back(subject: Subject) -> None:
    """Where actions can be taken back, they lead back, at the same cost."""
    env = subject.single()
    if not isinstance(env, KernelEnv) or not env.definition.inverse_actions:
        return
    model, inverse = env.model, np.array(env.definition.inverse_actions)
    assert (inverse[inverse] == np.arange(env.definition.n_actions)).all()
    states = model.walk(model.reset([26] * 40), np.arange(40), range(40))
    children = model.successors(states)
    from_, action = np.nonzero(children.legal)
    after = children.states[from_, action]
    back, rewards, _ = model.step(after, inverse[action])
    assert same(model.key(back), model.key(states[from_]))
    assert same(-rewards, children.costs[from_, action])


def check_numbers(subject: Subject) -> None:
    """Where states are numbered, a number and a state make each other."""
    env: Any = subject.single()
    if not isinstance(env, KernelEnv) or env.definition.kernels.rank is None:
        return
    model, rank, unrank = env.model, env.definition.kernels.rank, env.definition.kernels.unrank
    assert unrank is not None
    states = model.walk(model.reset([27] * 40), np.arange(40), range(40))
    numbers = [int(rank(state, env.definition.params)) for state in states]
    assert 0 <= min(numbers) <= max(numbers) < env.n_ranks  # pyright: ignore
    keys = {key.tobytes() for key in model.key(states)}
    assert len(set(numbers)) == len(keys), "two states have one number, or one state has two"
    made = model.reset([27] * 40)
    for state, number in zip(made, numbers, strict=True):
        unrank(state, number, env.definition.params)
    assert same(model.key(made), model.key(states))
