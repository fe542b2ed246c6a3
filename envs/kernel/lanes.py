"""The text of what happens to one lane: shared by the loops of every device.

A lane is one record of a batch. The loops of `codegen` (and those for CUDA) inline these functions,
so that all faces of an environment run the same lines.
"""

import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .state import Field, StateLayout

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2

Kernel = Callable[..., Any]


class Kernels(NamedTuple):
    """The dynamics of an environment, as functions under `@kernel`.

    Args:
        reset: `reset(state, params)` draws the initial state; all chance comes from `state.rng`.
        step: `step(state, action, params) -> (reward, terminated)`. `state.step_count` already
            counts this step. With many agents it is
            `step(state, action, params, rewards, terminated)`, which writes into two arrays of
            one entry an agent that hold 0 and False; an agent that has left the game is to stay
            terminated. See `Definition`.
        observe: `observe(state, params, obs)` writes every element of the observation row. With
            many agents the row's first axis is the agents'.
        legal: `legal(state, params, mask)` writes the `int8` action mask. Left out where every
            action is always legal.
        goal: `goal(state, params) -> bool`, for planners. Left out where no state is a goal.
        update: `update(state, params, obs)` changes a row that shows the state before the last
            step into one that shows the present state. Left out where `observe` is as fast.
        canonical: `canonical(state, params)` turns a state into the one that stands for all that
            are equivalent to it, before its key is taken. Left out where none are.
        n_outcomes: `n_outcomes(state, action, params)` says how many outcomes chance has.
        outcome: `outcome(state, action, k, params) -> (reward, terminated, probability)` makes
            the k-th. Both are left out where chance has too many outcomes to list.
    """

    reset: Kernel
    step: Kernel
    observe: Kernel
    legal: Kernel | None = None
    goal: Kernel | None = None
    update: Kernel | None = None
    canonical: Kernel | None = None
    n_outcomes: Kernel | None = None
    outcome: Kernel | None = None


class Shape(NamedTuple):
    """What the text of the loops depends on, besides the kernels.

    Args:
        layout: the state record.
        observation: the named tuple type of a composite observation, or None for one array.
        integer: whether an action is one integer; otherwise it is a row of an array.
        agents: how many agents there are; 0 where there is one and nothing is counted.
        integers: whether an action is a row of integers, one of each agent.
        choices: of one agent's row of integers, how many choices each has; otherwise empty.
    """

    layout: StateLayout
    observation: Any
    integer: bool
    agents: int
    integers: bool
    choices: tuple[int, ...] = ()


LANES = '''
@inlined
def view_lane(i, state, params, obs, mask):
    """Write the observation and the mask of a record."""
    observe_kernel(state, params, {row})
    {write_mask}

@inlined
def revise_lane(i, state, params, obs, mask):
    """The same where the row shows the state before the last step."""
    {revise}_kernel(state, params, {row})
    {write_mask}

@inlined
def reset_lane(state, params):
    """Start an episode in a record."""
    state.step_count = 0
    {clear_return}
    state.done = 0
    reset_kernel(state, params)

@inlined
def advance(i, state, action, params, reward, terminated):
    """One step of a record; whether it reached the time limit."""
    state.step_count = state.step_count + 1
{take_step}
    truncated = bool(state.max_steps >= 0 and state.step_count >= state.max_steps)
    if over or truncated:
        state.done = 1
    return truncated

@inlined
def step_lane(i, states, actions, params, mode, reward, terminated, truncated, ended):
    """Step one lane, or reset it where that is due; whether it was reset."""
    state = states[i]
    if mode == {NEXT_STEP} and state.done != 0:
        reset_lane(state, params)
        reward[i] = 0.0
        terminated[i] = False
        truncated[i] = False
        ended[i] = False
        return True
    truncated[i] = advance(i, state, {action}, params, reward, terminated)
    ended[i] = state.done != 0
    return False

@inlined
def keep_lane(i, state, returns, lengths, final_states):
    """Keep what an episode came to."""
    {keep_return}
    lengths[i] = state.step_count
    final_states[i] = state

@inlined
def any_illegal(i, actions, mask):
    """Whether the action of a lane is not allowed."""
{illegal}

@inlined
def key_lane(i, state, params, out):
    """128 bits of a record, which is made canonical on the way."""
    {canonical}
    a = np.uint64(0x243F6A8885A308D3)
    b = np.uint64(0x13198A2E03707344)
{hash_fields}
    out[i, 0] = mix64(a)
    out[i, 1] = mix64(b ^ a)
'''

_ONE_AGENT = """
r, over = step_kernel(state, action, params)
reward[i] = r
terminated[i] = over
state.episode_return = state.episode_return + float(reward[i])
"""

_AGENTS = """
reward[i] = 0.0
terminated[i] = False
step_kernel(state, action, params, reward[i], terminated[i])
over = True
for agent in range({agents}):
    state.episode_return[agent] += float(reward[i, agent])
    over = over and terminated[i, agent]
"""

_KEEP_RETURN = "returns[i] = state.episode_return"
# Without memory of their own, kernels copy arrays one element at a time.
_KEEP_RETURNS = "for agent in range({agents}): returns[i, agent] = state.episode_return[agent]"

_ILLEGAL_INTEGER = "return actions[i] < 0 or actions[i] >= mask.shape[1]"
_ILLEGAL_MASKED = f"{_ILLEGAL_INTEGER} or mask[i, actions[i]] == 0"
_ILLEGAL_NUMBERS = """
for number in actions[i].flat:
    if number != number:
        return True
return False
"""
_ILLEGAL_CHOICES = """
choices = {choices}
k = 0
for choice in actions[i].flat:
    if choice < 0 or choice >= choices[k]:
        return True
    k += 1
return False
"""
# An agent without any legal action does not act, and what is given for it is set to 0.
_ILLEGAL_AGENTS = """
allowed = mask[i % mask.shape[0]]
for agent in range(allowed.shape[0]):
    action = int(actions[i, agent])
    if action < 0 or action >= allowed.shape[1] or allowed[agent, action] == 0:
        for other in range(allowed.shape[1]):
            if allowed[agent, other] != 0:
                return True
        actions[i, agent] = 0
return False
"""


def blanks(kernels: Kernels, shape: Shape) -> dict[str, Any]:
    """What to fill into `LANES` and the loops around it."""
    row, parts = "obs[i]", [""]
    if shape.observation is not None:
        parts = [f".{name}" for name in shape.observation._fields]
        row = f"Observation({', '.join(f'obs{part}[i]' for part in parts)})"
    masked = kernels.legal is not None
    if shape.integer:
        illegal = _ILLEGAL_MASKED if masked else _ILLEGAL_INTEGER
    else:
        illegal = _ILLEGAL_AGENTS if shape.integers else _ILLEGAL_NUMBERS
        if shape.choices:
            illegal = _ILLEGAL_CHOICES.format(choices=shape.choices)
    agents = shape.agents
    fields = (line for field in shape.layout.fields for line in _hash_lines(field))
    return {
        "row": row,
        "write_mask": "legal_kernel(state, params, mask[i])" if masked else "pass",
        "show_row": _indented("\n".join(f"copy_row(shown{p}, obs{p}, i)" for p in parts), 3),
        "revise": "observe" if kernels.update is None else "update",
        "clear_return": "state.episode_return[:] = 0.0" if agents else "state.episode_return = 0.0",
        "take_step": _indented(_AGENTS.format(agents=agents) if agents else _ONE_AGENT),
        "keep_return": _KEEP_RETURNS.format(agents=agents) if agents else _KEEP_RETURN,
        # Arrays cannot be returned; the caller has them.
        "handed": "0.0, False" if agents else "float(reward[0]), bool(terminated[0])",
        "action": "int(actions[i])" if shape.integer else "actions[i]",
        "illegal": _indented(illegal),
        "mask_value": "mask[i, action]" if masked else "1",
        "cost": "-reward[i, action, int(state.turn)]" if agents else "-reward[i, action]",
        "goal": "goal_kernel(states[i], params)" if kernels.goal is not None else "False",
        "canonical": "pass" if kernels.canonical is None else "canonical_kernel(state, params)",
        "hash_fields": _indented("\n".join(fields)),
        "NEXT_STEP": NEXT_STEP,
        "SAME_STEP": SAME_STEP,
    }


def _indented(text: str, depth: int = 1) -> str:
    return textwrap.indent(text.strip("\n"), "    " * depth)


def _hash_lines(field: Field) -> Iterator[str]:
    """Lines that mix one field of the record into the two halves of the key."""
    name, scalar = field[0], np.dtype(field[1])
    shape = field[2] if len(field) == 3 else ()
    indent, value = "", f"state.{name}"
    for depth, length in enumerate(shape):
        yield f"{indent}for i{depth} in range({length}):"
        indent += "    "
    if shape:
        value += "[" + ", ".join(f"i{d}" for d in range(len(shape))) + "]"
    if scalar.kind == "f":
        # Adding zero turns -0.0 into 0.0: equal states have equal keys.
        word = f"np.float64({value} + 0.0).view(np.uint64)"
    elif scalar.kind == "i":
        word = f"np.uint64(np.int64({value}))"
    else:
        word = f"np.uint64({value})"
    yield f"{indent}word = {word}"
    yield f"{indent}a = mix64(a ^ word)"
    yield f"{indent}b = mix64(b + word + np.uint64(0x9E3779B97F4A7C15))"
