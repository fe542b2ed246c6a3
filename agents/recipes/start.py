"""Starting models: imitation of a bed's plans, stopped early, so that much is left to learn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...envs.kernel.errors import SpelunkError
from ...envs.kernel.files import write_json
from ..core.trainer import Task
from ..llm.trainer import Config, LanguageModelTrainer
from .beds import Bed
from .run import answers, measure

#: Updates between two tests, and the most updates.
_EVERY, _MOST = 10, 4000


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
    trainer = LanguageModelTrainer(task, config)
    while trainer.updates < _MOST:
        metrics = trainer.step()
        if trainer.updates % _EVERY:
            continue
        figures = measure(answers(trainer.agent(), bed, "laptop"))
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
            }
            write_json(folder / "start.json", made)
            return json.loads((folder / "start.json").read_text())
    raise StartError(
        f"{bed.name}: {_MOST} updates of imitation did not reach a score of {bed.start_score}"
    )
