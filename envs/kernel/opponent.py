"""The opponent that the engine plays: a game for two in turns, as one agent meets it.

A step is then the agent's move and, unless that ended the game, the opponent's reply. What the
game's own `step` hands out for both players is kept in the record, since kernels make no arrays.
"""

from typing import Literal

import numpy as np

from .state import Field

Plays = Literal["first", "second", "random"]

#: How the agent's place in the order of play comes about, as text of the loops.
PLACES: dict[str, str] = {"first": "0", "second": "1", "random": "integer(state, 2)"}

#: What `Shape.plays` is where no opponent was chosen.
NOBODY = ""


def opponent_fields(n_actions: int) -> tuple[Field, ...]:
    """The bookkeeping of a game against an opponent; `agent_index` is the agent's place."""
    return (
        ("agent_index", np.int8),
        ("turn_rewards", np.float32, (2,)),
        ("turn_terminated", np.int8, (2,)),
        ("reply_mask", np.int8, (n_actions,)),
    )


MASKED_REPLY = """
legal_kernel(state, params, state.reply_mask)
left = 0
for action in range(len(state.reply_mask)):
    left += state.reply_mask[action] != 0
left = integer(state, left)
for action in range(len(state.reply_mask)):
    if state.reply_mask[action] != 0:
        if left == 0:
            return action
        left -= 1
return -1
"""

FREE_REPLY = "return integer(state, len(state.reply_mask))"

TURNS = '''
@inlined
def reply_lane(state, params):
    """The opponent's move: a legal one, drawn uniformly."""
{reply}

@inlined
def play_lane(state, action, params):
    """The agent's move and the replies to it; the agent's reward, and whether the game is over."""
    total = 0.0
    while True:
        for agent in range(2):
            state.turn_rewards[agent] = 0.0
            state.turn_terminated[agent] = 0
        step_kernel(state, action, params, state.turn_rewards, state.turn_terminated)
        total += float(state.turn_rewards[int(state.agent_index)])
        over = state.turn_terminated[0] != 0 and state.turn_terminated[1] != 0
        if over or int(state.turn) == int(state.agent_index):
            return total, over
        action = reply_lane(state, params)
'''

#: After `reset`: who is who, and the opponent's moves before the agent's first.
OPENING = """
state.agent_index = {place}
for agent in range(2):
    state.turn_rewards[agent] = 0.0
    state.turn_terminated[agent] = 0
for action in range(len(state.reply_mask)):
    state.reply_mask[action] = 0
if int(state.turn) != int(state.agent_index):
    play_lane(state, reply_lane(state, params), params)
"""
