"""Traces: experts' episodes, written as a language model would have played them."""

from typing import Any

from ...envs.kernel.errors import InvalidArgumentError
from .. import registry
from ..core.agent import Agent
from .contexts import Context
from .model import LanguageModel
from .rollout import Scribe, Transcripts

#: Whom a language model imitates at first, unless told otherwise.
EXPERTS = {
    "spelunk/BernoulliBandit-v0": "thompson",
    "spelunk/KnowledgeSearch-v0": "oracle",
}


def expert_for(env_id: str, name: str | None) -> Agent:
    """The expert of an environment.

    Args:
        env_id: the environment.
        name: an agent that needs no training; None for the usual one.

    Raises:
        InvalidArgumentError: there is no usual one, or the agent named has to be trained.
    """
    if name is None and env_id not in EXPERTS:
        raise InvalidArgumentError(
            f"there is no usual expert for {env_id}: name an agent as expert, or start from a "
            f"trained model; experts are known for {', '.join(EXPERTS)}"
        )
    row = registry.entry(name or EXPERTS[env_id])
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
        answers = [self.model.encode_answer(text) for text in words]
        self.transcripts.answer(answers, [[0.0] * len(answer) for answer in answers])
        return actions

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        self.agent.update(actions, rewards, ended)
        self.transcripts.update(rewards, ended)
