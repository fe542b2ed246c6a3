"""Traces: experts' episodes, written as a language model would have played them."""

from typing import Any

from ...envs import registry as env_registry
from ...envs.kernel.errors import InvalidArgumentError
from .. import registry
from ..core.agent import Agent
from .contexts import Context
from .model import LanguageModel
from .rollout import Scribe, Transcripts

#: Whom a language model imitates at first, unless told otherwise; where an environment has plans of
#: its own, they are followed.
EXPERTS = {"spelunk/BernoulliBandit-v0": "thompson"}


def expert_for(env_id: str, name: str | None) -> Agent:
    """The expert of an environment.

    Args:
        env_id: the environment.
        name: an agent that needs no training; None for the usual one.

    Raises:
        InvalidArgumentError: there is no usual one, or the agent named has to be trained.
    """
    if name is None:
        name = EXPERTS.get(env_id)
        if name is None and hasattr(env_registry.entry(env_id).load(), "plan"):
            name = "oracle"
    if name is None:
        raise InvalidArgumentError(
            f"there is no usual expert for {env_id}: name an agent as expert, or start from a "
            "trained model"
        )
    row = registry.entry(name)
    if row.kind == "trained":
        raise InvalidArgumentError(f"expert must be an agent that needs no training; got {name!r}")
    return row.load()()


class TracedAgent(Scribe):
    """An agent whose actions are also written down in words.

    Args:
        agent: who acts.
        model: its tokenizer writes the tokens.
        context: what a language model would have been told.
    """

    def __init__(self, agent: Agent, model: LanguageModel, context: Context):
        self.agent, self.model, self.context = agent, model, context

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self.agent.start(env, seed)
        self.transcripts = Transcripts(env, self.model, self.context)

    def act(self, observations: Any, infos: dict[str, Any]) -> Any:
        self.transcripts.ask()
        actions = self.agent.act(observations, infos)
        words = [self.env.action_words(lane, action) for lane, action in enumerate(actions)]
        self.transcripts.quote([self.model.encode_answer(text) for text in words])
        return actions

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        self.agent.update(actions, rewards, ended)
        self.transcripts.update(rewards, ended)
