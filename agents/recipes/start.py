"""Starting models: imitation of a bed's plans, stopped early, so that much is left to learn.

Where a bed has critiques, models are also shown how their own wrong answers are corrected.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_json
from ..core.trainer import Task
from ..llm.agent import LanguageModelAgent
from ..llm.branching import FORMS, criticise, wrong_answers
from ..llm.measuring.answers import TEST_SEEDS
from ..llm.rollout import Rollout, join, play
from ..llm.scribe import Moment, Scribe
from ..llm.training.trainer import Config, LanguageModelTrainer
from .beds import Bed
from .run import answers, measure

#: The most updates.
_MOST = 4000
#: Of the plans of an update one in so many is imitated where corrections are: what is learned of
#: these helps with plans too. Shown as many plans, the model corrects no better than it answers.
_PLANS = 64
#: Problems, and answers to each, by which corrections are measured.
_CORRECTED = 256, 8


class CritiqueTrainer(LanguageModelTrainer):
    """Imitates some plans, and many corrections of the model's own wrong answers by plans.

    Half of the corrections follow an `"indicator"` that the answer was wrong, the others a `"full"`
    critique. The wrong answers themselves are given.
    """

    def _texts(self) -> set[str]:
        env, problem = self.env, self.env.prototype
        env.reset(seed=self.task.seed)
        messages = ["", *env.sample_actions(np.random.default_rng(self.task.seed))[1:]]
        faults = map(problem.critique, env.states, messages)
        told = zip(env.states, messages, faults, strict=True)
        return super()._texts() | {"right wrong"} | {problem.retell(*each) for each in told}

    def _play(self, agent: Scribe, groups_of: int) -> Rollout:
        first, pad = self._starts, self.model.end
        planned = super()._play(agent, groups_of)
        planned = planned.take(torch.arange(0, len(planned.groups), _PLANS))
        seeds = list(range(first, self._starts))
        own = play(self.agent(), self.env, seeds, seed=first, pad=pad, keep_states=True)
        wrong = wrong_answers(own)
        moments = [
            moment
            for i, form in enumerate(FORMS)
            for moment in criticise(own, self.env, self.model, wrong[i :: len(FORMS)], form)
        ]
        return join(planned, play(agent, self.env, moments, seed=first, pad=pad))


def second_answers(agent: LanguageModelAgent, bed: Bed) -> dict[str, float]:
    """The share of right answers to test problems that an agent has just failed at.

    Returns:
        `fresh`, where it is told the problem as if for the first time, and for each form of
        critique where it is told its wrong answer with it.
    """
    problems, samples = _CORRECTED
    kwargs: dict[str, Any] = {**bed.env_kwargs, **bed.test_kwargs}
    env: Any = gymnasium.make_vec(
        bed.env_id, num_envs=problems * samples, autoreset_mode="SAME_STEP", **kwargs
    )
    seeds = [TEST_SEEDS + lane // samples for lane in range(env.num_envs)]
    pad, shares = agent.model.end, {}
    own = play(agent, env, seeds, seed=0, pad=pad, keep_states=True)
    wrong, states = wrong_answers(own), own.states
    assert states is not None
    begun = {"fresh": [Moment(states[episode, 0]) for episode in wrong]}
    begun |= {form: criticise(own, env, agent.model, wrong, form) for form in FORMS}
    for name, moments in begun.items():
        again = play(agent, env, moments, seed=1, pad=pad)
        shares[name] = 1 - len(wrong_answers(again)) / len(moments)
    env.close()
    return shares


class StartError(SpelunkError, RuntimeError):
    """Imitation did not reach the score that a bed starts from."""


def make_start(
    bed: Bed, folder: Path, seed: int = 0, tell: Callable[[str], Any] = lambda words: None
) -> dict[str, Any]:
    """Train the model that all recipes on a bed start from.

    Args:
        bed: whose.
        folder: gets the model, its tokenizer, and `start.json` with settings and figures.
        seed: of the training.
        tell: is told how it goes.

    Raises:
        StartError: the score was not reached.
    """
    task = Task(bed.env_id, 2**62, bed.lanes, dict(bed.env_kwargs), seed)
    config = Config(sft_updates=_MOST, **bed.imitation)
    trainer = (CritiqueTrainer if bed.critiques else LanguageModelTrainer)(task, config)
    while trainer.updates < _MOST:
        metrics = trainer.step()
        if trainer.updates % bed.test_every:
            continue
        asked = answers(trainer.agent(), bed, "laptop")
        figures = measure(asked)
        tell(
            f"update {trainer.updates}: loss {metrics['imitation_loss']:.3f}, "
            + ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        )
        if figures["pass_1"] >= bed.start_score:
            trainer.model.save_pretrained(folder)
            made = {
                "bed": bed.name,
                "seed": seed,
                "updates": trainer.updates,
                "episodes": trainer.env_steps,
                "parameters": trainer.model.network.num_parameters(),
                "imitation": bed.imitation,
                "figures": figures,
                "right": asked.correct.sum(1).tolist(),
            }
            if bed.critiques:
                made["second_answers"] = second_answers(trainer.agent(), bed)
            write_json(folder / "start.json", made)
            return json.loads((folder / "start.json").read_text())
    raise StartError(
        f"{bed.name}: {_MOST} updates of imitation did not reach a score of {bed.start_score}"
    )
