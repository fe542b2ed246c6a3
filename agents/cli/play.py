"""Watching an agent in the terminal, or playing oneself."""

import sys
import time
from typing import Any

import gymnasium

from ...envs.kernel.errors import UnparseableActionError
from ..core.agent import Agent, interact


class Keyboard(Agent):
    """A person: asks for each action in the terminal, in words or as a number."""

    def act(self, observations: Any, infos: dict[str, Any]) -> list[Any]:
        """The action typed.

        Raises:
            EOFError: at the end of the input, or on `quit`.
        """
        env, legal = self.env, []
        print(env.describe(0))
        if env.definition.discrete:
            mask = env.action_mask
            legal = [a for a in range(env.definition.n_actions) if mask is None or mask[0, a]]
            print("   ".join(f"{a} {env.action_words(0, a)}" for a in legal[:40]))
        while True:
            print("action, or quit: ", end="", flush=True)
            line = sys.stdin.readline()
            if not line or line.strip() == "quit":
                raise EOFError
            try:
                action = env.parse(0, line.strip())
            except UnparseableActionError as error:
                if not (env.definition.discrete and line.strip().isdigit()):
                    print(error)
                    continue
                action = int(line)
            if not env.definition.discrete or action in legal:
                return [action]
            print(f"{line.strip()} is not allowed here")


def play(
    env_id: str, env_kwargs: dict[str, Any], agent: Agent, seed: int, delay: float
) -> dict[str, Any]:
    """Play one episode in the terminal; its figures.

    Args:
        env_id: the environment.
        env_kwargs: its arguments.
        agent: who plays.
        seed: of the episode.
        delay: seconds to look at each step, where anybody does.
    """
    env: Any = gymnasium.make_vec(env_id, num_envs=1, autoreset_mode="SAME_STEP", **env_kwargs)
    seen = env.reset(seed=seed)
    total, steps, ended = 0.0, 0, False
    _show(env, env.states[0], steps, total)
    try:
        for step in interact(agent, env, seen, seed):
            ended = bool(step.ended[0])
            total, steps = total + float(step.rewards[0]), steps + 1
            _show(env, env.final_states[0] if ended else env.states[0], steps, total)
            if ended:
                break
            time.sleep(delay if sys.stdout.isatty() else 0)
    except EOFError:
        pass
    print("the episode has ended" if ended else "left before the end")
    return {"id": env_id, "seed": seed, "steps": steps, "return": total, "ended": ended}


def _show(env: Any, state: Any, steps: int, total: float) -> None:
    if sys.stdout.isatty():
        print("\033[2J\033[H", end="")
    print(env.prototype.show_state(state))
    print(f"step {steps}   return {total:.3f}\n", flush=True)
