"""The text of what happens to one lane: shared by the loops of every device.

A lane is one record of a batch. The loops of `codegen` (and those for CUDA) inline these functions,
so that all faces of an environment run the same lines.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import opponent
from .opponent import NOBODY
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
            many agents the row's first axis is the agents'; where they take turns it is
            `observe(state, agent, params, obs)`, which writes the row of one.
        legal: `legal(state, params, mask)` writes the `int8` action mask. Left out where every
            action is always legal.
        goal: `goal(state, params) -> bool`, for planners. Left out where no state is a goal.
        update: `update(state, params, obs)` changes a row that shows the state before the last
            step into one that shows the present state. Left out where `observe` is as fast. In
            games in turns it is `update(state, agent, params, obs)`.
        canonical: `canonical(state, params)` turns a state into the one that stands for all that
            are equivalent to it, before its key is taken. Left out where none are.
        n_outcomes: `n_outcomes(state, action, params)` says how many outcomes chance has.
        outcome: `outcome(state, action, k, params) -> (reward, terminated, probability)` makes
            the k-th. Both are left out where chance has too many outcomes to list.
        rank: `rank(state, params)` numbers the states from 0 to `env.n_ranks` − 1, a number to
            each that can be reached.
        unrank: `unrank(state, index, params)` makes the state of a number; of one that `rank`
            never gives, any state. Both are left out where there are too many states to list.
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
    rank: Kernel | None = None
    unrank: Kernel | None = None


class Shape(NamedTuple):
    """What the text of the loops depends on, besides the kernels.

    Args:
        layout: the state record.
        observation: the named tuple type of a composite observation, or None for one array.
        integer: whether an action is one integer; otherwise it is a row of an array.
        agents: how many agents there are; 0 where there is one and nothing is counted.
        integers: whether an action is a row of integers, one of each agent.
        choices: of one agent's row of integers, how many choices each has; otherwise empty.
        plays: of a game that one agent plays against an opponent, which player it is (see
            `opponent.PLACES`); otherwise empty.
    """

    layout: StateLayout
    observation: Any
    integer: bool
    agents: int
    integers: bool
    choices: tuple[int, ...] = ()
    plays: str = NOBODY


LANES = '''
{turns}
@inlined
def view_lane(i, state, params, obs, mask):
    """Write the observation and the mask of a record."""
{observe}
    {write_mask}

@inlined
def revise_lane(i, state, params, obs, mask):
    """The same where the row shows the state before the last step."""
{revise}
    {write_mask}

@inlined
def mask_lane(i, state, params, mask):
    """Write the mask of a record."""
    {write_mask}

@inlined
def is_legal(i, action, mask):
    """Whether a mask allows an action."""
    return {mask_value} != 0

@inlined
def is_goal_lane(state, params):
    """Whether a record is a goal."""
    return {goal}

@inlined
def reset_lane(state, params):
    """Start an episode in a record."""
    state.step_count = 0
    {clear_return}
    state.done = 0
    reset_kernel(state, params)
{opening}

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
def mix_word(x, word, factor):
    """A bijection of x for each word, and of the word for each x."""
    x = (x ^ word) * factor
    return x ^ (x >> np.uint64(32))

@inlined
def key_lane(i, state, params, out):
    """128 bits of a record, which is made canonical on the way."""
    {canonical}
    a = np.uint64(0x243F6A8885A308D3)
    b = np.uint64(0x13198A2E03707344)
{hash_fields}
    out[i, 0] = mix64(a)
    out[i, 1] = mix64(b)
'''

_ONE_AGENT = """
r, over = {play}(state, action, params)
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
    parts = [""]
    if shape.observation is not None:
        parts = [f".{name}" for name in shape.observation._fields]
    masked = kernels.legal is not None
    if shape.integer:
        illegal = _ILLEGAL_MASKED if masked else _ILLEGAL_INTEGER
    else:
        illegal = _ILLEGAL_AGENTS if shape.integers else _ILLEGAL_NUMBERS
        if shape.choices:
            illegal = _ILLEGAL_CHOICES.format(choices=shape.choices)
    agents = shape.agents
    play = {"agents": agents, "play": "play_lane" if shape.plays else "step_kernel"}
    return {
        **_opponent_blanks(masked, shape.plays),
        "observe": _write_row("observe", shape, parts),
        "write_mask": "legal_kernel(state, params, mask[i])" if masked else "pass",
        "show_row": _indented("\n".join(f"copy_row(shown{p}, obs{p}, i)" for p in parts), 3),
        "revise": _write_row("update" if kernels.update else "observe", shape, parts),
        "clear_return": "state.episode_return[:] = 0.0" if agents else "state.episode_return = 0.0",
        "take_step": _indented((_AGENTS if agents else _ONE_AGENT).format(**play)),
        "keep_return": _KEEP_RETURNS.format(agents=agents) if agents else _KEEP_RETURN,
        # Arrays cannot be returned; the caller has them.
        "handed": "0.0, False" if agents else "float(reward[0]), bool(terminated[0])",
        "action": "int(actions[i])" if shape.integer else "actions[i]",
        "illegal": _indented(illegal),
        "mask_value": "mask[i, action]" if masked else "1",
        "cost": "-reward[i, action, int(state.turn)]" if agents else "-reward[i, action]",
        "goal": "goal_kernel(state, params)" if kernels.goal is not None else "False",
        "canonical": "pass" if kernels.canonical is None else "canonical_kernel(state, params)",
        "hash_fields": _indented("\n".join(_hash_lines(shape.layout.fields))),
        "NEXT_STEP": NEXT_STEP,
        "SAME_STEP": SAME_STEP,
    }


def _write_row(kernel: str, shape: Shape, parts: list[str]) -> str:
    """Lines that write what is seen: by all at once, or player by player of a game in turns."""
    turns = shape.integer and shape.agents > 0
    index = "i, agent" if turns else "i"
    row = f"obs[{index}]"
    if shape.observation is not None:
        row = f"Observation({', '.join(f'obs{part}[{index}]' for part in parts)})"
    if turns:
        return _indented(
            f"for agent in range({shape.agents}):\n    {kernel}_kernel(state, agent, params, {row})"
        )
    seen_by = "int(state.agent_index), " if shape.plays else ""
    return _indented(f"{kernel}_kernel(state, {seen_by}params, {row})")


def _opponent_blanks(masked: bool, plays: str) -> dict[str, str]:
    if not plays:
        return {"turns": "", "opening": ""}
    reply = _indented(opponent.MASKED_REPLY if masked else opponent.FREE_REPLY)
    opening = opponent.OPENING.format(place=opponent.PLACES[plays])
    return {"turns": opponent.TURNS.format(reply=reply), "opening": _indented(opening)}


def _indented(text: str, depth: int = 1) -> str:
    return textwrap.indent(text.strip("\n"), "    " * depth)


def _hash_lines(fields: Iterable[Field]) -> Iterator[str]:
    """Lines that mix fields of the record into the two halves of the key.

    Narrow integers are packed into words first, because mixing costs more than reading.
    """
    rest: list[tuple[str, int]] = []
    for field in fields:
        name, scalar = f"state.{field[0]}", np.dtype(field[1])
        shape = field[2] if len(field) == 3 else ()
        if not shape:
            rest.append(_word(name, scalar))
            continue
        *outer, length = shape
        indent = ""
        for depth, count in enumerate(outer):
            yield f"{indent}for i{depth} in range({count}):"
            indent += "    "
        row = "".join(f"i{depth}, " for depth in range(len(outer)))
        each = 64 // _word(name, scalar)[1]
        if length >= each:
            yield f"{indent}for k in range(0, {length - length % each}, {each}):"
            chunk = (_word(f"{name}[{row}k + {j}]", scalar) for j in range(each))
            yield from (f"{indent}    {line}" for line in _mix_lines(chunk))
        left = [_word(f"{name}[{row}{j}]", scalar) for j in range(length - length % each, length)]
        if outer:
            yield from (f"{indent}{line}" for line in _mix_lines(left))
        else:
            rest += left
    yield from _mix_lines(rest)


def _word(value: str, scalar: np.dtype[Any]) -> tuple[str, int]:
    """A number of the record as an unsigned word, and how many bits of it are used."""
    if scalar.kind == "f":
        # Adding zero turns -0.0 into 0.0: equal states have equal keys.
        return f"np.float64({value} + 0.0).view(np.uint64)", 64
    bits = 8 * scalar.itemsize
    word = f"np.uint64(np.int64({value}))" if scalar.kind == "i" else f"np.uint64({value})"
    return (word if bits == 64 else f"({word} & np.uint64({2**bits - 1}))"), bits


def _mix_lines(words: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Lines that mix in words, as many side by side as fit into 64 bits."""
    packed, used = [], 0
    for word, bits in [*words, ("", 65)]:
        if used + bits > 64 and packed:
            yield f"word = {' | '.join(packed)}"
            yield "a = mix_word(a, word, np.uint64(0xFF51AFD7ED558CCD))"
            yield "b = mix_word(b, word, np.uint64(0xC4CEB9FE1A85EC53))"
            packed, used = [], 0
        packed.append(f"({word} << np.uint64({used}))" if used else word)
        used += bits
