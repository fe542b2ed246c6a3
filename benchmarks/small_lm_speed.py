"""Rollouts and training of small language models, beside bare loops of the same arithmetic.

A bare loop has the same network, batch and lengths, and no environment, masks or bookkeeping. All
contenders take turns, again and again, so that they see the same machine. One thread.

With `--overlap` also how long updates take by the clock when another process plays while this one
learns (`staleness=1`), which needs two idle cores.

    python benchmarks/small_lm_speed.py --repeats 9 --overlap --note "a quiet machine"
"""

import argparse
import copy
import time
from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np
import torch
from common import write_result
from numba.core import config as numba_config
from torch import Tensor
from torch.nn.functional import pad

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm import agent as agents
from spelunk.agents.llm.rollout import Rollout
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.agents.recipes.beds import bed

#: Updates of imitation after which a model searches, so that its messages end.
IMITATED = 30
#: Updates between two looks at the clock.
BLOCK = 10


def countdown(**settings: Any) -> LanguageModelTrainer:
    """Answers of one turn, from the recipes' starting model."""
    on = bed("countdown")
    config = Config(path=str(on.start), sft_updates=0, **{**on.config, **settings})
    return LanguageModelTrainer(Task(on.env_id, 10**9, on.lanes, dict(on.env_kwargs)), config)


def search(**settings: Any) -> LanguageModelTrainer:
    """Dialogues of several turns, of which the model remembers all."""
    on = bed("search")
    settings = {"context": "dialogue", "sft_updates": IMITATED, **on.imitation, **settings}
    config = Config(**settings)
    trainer = LanguageModelTrainer(Task(on.env_id, 10**9, on.lanes, dict(on.env_kwargs)), config)
    for _ in range(IMITATED + 1):
        trainer.step()
    return trainer


BEDS: dict[str, Callable[..., LanguageModelTrainer]] = {"countdown": countdown, "search": search}


def turns_of(rollout: Rollout) -> list[list[tuple[int, int]]]:
    """By turn and row: what is told, and how long the answer is, both in tokens."""
    by_turn: list[list[tuple[int, int]]] = []
    for row in rollout.turns.tolist():
        told = 0
        for turn, run in groupby(row):
            if turn < 0:
                told = len(list(run))
            else:
                by_turn += [[]] * (turn + 1 - len(by_turn))
                by_turn[turn] = [*by_turn[turn], (told, len(list(run)))]
    return by_turn


@torch.no_grad()
def bare_rollout(trainer: LanguageModelTrainer, rollout: Rollout) -> None:
    """The network reads and samples as in a rollout; every row is as long as the longest."""
    network, rows, cache = trainer.model.network, len(rollout.tokens), None
    for turn, lengths in enumerate(turns_of(rollout)):
        told = max(told for told, _ in lengths) + (turn > 0)
        tokens = torch.ones(rows, told, dtype=torch.int64)
        for _ in range(max(answered for _, answered in lengths)):
            out = network(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            tokens = torch.multinomial(out.logits[:, -1].softmax(-1), 1)


@torch.no_grad()
def generate(trainer: LanguageModelTrainer, rollout: Rollout) -> int:
    """The network's own `generate` goes on from every prompt of a rollout; tokens generated."""
    model, generated = trainer.model, 0
    for turn in range(int(rollout.lengths.max())):
        asked = (rollout.turns == turn).any(1)
        tokens = rollout.tokens[asked]
        lengths = (rollout.turns[asked] == turn).int().argmax(1)
        longest = int(lengths.max())
        columns = torch.arange(longest) - (longest - lengths)[:, None]
        out = model.network.generate(
            tokens.gather(1, columns.clamp(min=0)),
            attention_mask=(columns >= 0).long(),
            do_sample=True,
            max_new_tokens=trainer.config.max_tokens,
            eos_token_id=model.ends.tolist(),
            pad_token_id=model.end,
            top_k=0,
        )
        answers = out[:, longest:]
        ends = torch.isin(answers, model.ends)
        # The first end belongs to the answer.
        generated += int((ends.cumsum(1) - ends.int() == 0).sum())
    return generated


def bare_learner(trainer: LanguageModelTrainer) -> Callable[[Rollout, Tensor], None]:
    """One pass over a rollout: forward, log-softmax, clipped loss, backward, Adam."""
    network, config = copy.deepcopy(trainer.model.network), trainer.config
    optimizer = torch.optim.Adam(network.parameters(), 0.0, fused=True)

    def learn(rollout: Rollout, advantages: Tensor) -> None:
        for rows in torch.randperm(len(rollout.tokens)).chunk(config.num_minibatches):
            tokens, generated = rollout.tokens[rows], rollout.generated[rows]
            logits = network(tokens[:, :-1], use_cache=False).logits
            log_p = logits.log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
            ratio = (pad(log_p, (1, 0)) - rollout.log_probs[rows]).exp()
            gain = torch.minimum(ratio * advantages[rows], ratio.clamp(0.8, 1.2) * advantages[rows])
            loss = -(gain * generated).sum() / generated.sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.max_grad_norm)
            optimizer.step()

    return learn


class Stopwatch:
    """Adds up the seconds of calls by part; those of calls inside others count for the outer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = False
        self._undo: list[tuple[Any, str, Any]] = []

    def watch(self, part: str, owner: Any, *names: str) -> None:
        """Measure methods or functions from now on, until `stop`."""
        for name in names:
            self._undo.append((owner, name, vars(owner).get(name)))
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, call: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return call(*args, **kwargs)
            self._inside, begin = True, time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                self._inside = False
                spent = time.process_time() - begin
                self.seconds[part] = self.seconds.get(part, 0.0) + spent

        return timed

    def stop(self) -> None:
        """Put everything back."""
        for owner, name, before in reversed(self._undo):
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)


def split(trainer: LanguageModelTrainer, updates: int) -> dict[str, float]:
    """Milliseconds of an update by part, and `"all"` of it."""
    watch = Stopwatch()
    watch.watch("environment", trainer.env, "reset", "step", "describe", "parse", "sample_actions")
    watch.watch("tokenizing", trainer.model, "encode_given", "decode")
    watch.watch("sampling", agents, "sample", "pad_left")
    watch.watch("sampling", agents.Session, "extend", "restart")
    watch.watch("learning", trainer, "_learn")
    begin = time.process_time()
    for _ in range(updates):
        trainer.step()
    seconds = {**watch.seconds, "all": time.process_time() - begin}
    watch.stop()
    return {part: 1000 * spent / updates for part, spent in seconds.items()}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, and what the call returned."""
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def once(trainer: LanguageModelTrainer, learn: Any) -> tuple[dict[str, float], Rollout]:
    """Tokens a second of all contenders, and the rollout that they had to do with."""
    seconds, (_, played) = timed(trainer._explore)
    rollout = played.rollout
    lanes, generated = len(rollout.tokens), int(rollout.generated.sum())
    advantages = torch.randn(lanes, 1) * rollout.generated
    bare, _ = timed(lambda: bare_rollout(trainer, rollout))
    theirs, count = timed(lambda: generate(trainer, rollout))
    learning, _ = timed(lambda: trainer._learn(rollout, advantages, torch.arange(lanes)))
    bare_learning, _ = timed(lambda: learn(rollout, advantages))
    read = int((rollout.generated.flip(1).cumsum(1) > 0).sum())  # what pads is not counted
    rates = {
        "rollout": generated / seconds,
        "bare_rollout": generated / bare,
        "generate": count / theirs,
        "learning": read / learning,
        "bare_learning": read / bare_learning,
    }
    return rates, rollout


def measure(name: str, repeats: int) -> dict[str, Any]:
    """Tokens a second of all contenders on a bed, and what its updates consist of."""
    trainer = BEDS[name]()
    trainer.learner.optimizer.set_learning_rate(0.0)  # so that all repeats are of the same policy
    learn = bare_learner(trainer)
    once(trainer, learn)  # compiles and fills caches
    found = [once(trainer, learn) for _ in range(repeats)]
    rates = {key: np.array([rate[key] for rate, _ in found]) for key in found[0][0]}
    ratios = {
        f"{ours}_over_{other}": float(np.median(rates[ours] / rates[other]))
        for ours, other in (
            ("rollout", "bare_rollout"), ("rollout", "generate"), ("learning", "bare_learning"),
        )
    }  # fmt: skip
    return {
        "bed": name,
        "id": trainer.task.env_id,
        "env_kwargs": dict(trainer.task.env_kwargs),
        "context": trainer.lanes.context_name,
        "lanes": trainer.task.num_envs,
        "parameters": trainer.model.network.num_parameters(),
        "vocabulary": len(trainer.model.tokenizer),
        "generated_tokens": float(np.median([int(r.generated.sum()) for _, r in found])),
        "longest_sequence": float(np.median([r.tokens.shape[1] for _, r in found])),
        "tokens_per_second": {key: float(np.median(values)) for key, values in rates.items()},
        "ratios": ratios,
        "update_ms": split(trainer, repeats),
    }


def overlap(name: str, repeats: int) -> dict[str, float]:
    """Milliseconds of an update by the clock, playing and learning in turns and side by side."""
    trainers = {f"staleness_{s}": BEDS[name](staleness=s) for s in (0, 1)}
    spent: dict[str, list[float]] = {key: [] for key in trainers}
    for block in range(repeats + 1):
        for key, trainer in trainers.items():
            begin = time.perf_counter()
            for _ in range(BLOCK):
                trainer.step()
            # So that each block has played as many rollouts as it has learned from.
            for asked in trainer.background._asked:
                asked.answer.result()
            if block:  # the first one compiles, and starts the other process
                spent[key].append(1000 * (time.perf_counter() - begin) / BLOCK)
    ratios = np.array(spent["staleness_0"]) / np.array(spent["staleness_1"])
    medians = {key: float(np.median(values)) for key, values in spent.items()}
    return {**medians, "gain": float(np.median(ratios))}


def main() -> None:
    """Measure, print and write `results/small_lm_speed.json`."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--beds", nargs="+", default=list(BEDS))
    parser.add_argument("--overlap", action="store_true", help="needs two idle cores")
    parser.add_argument("--note", default="", help="what is to be known about the machine")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    numba_config.NUMBA_NUM_THREADS = 1  # pyright: ignore[reportAttributeAccessIssue]
    torch.manual_seed(0)
    rows = []
    for name in arguments.beds:
        rows.append(measure(name, arguments.repeats))
        print(name, {k: round(v) for k, v in rows[-1]["tokens_per_second"].items()})
        print({k: round(v, 2) for k, v in rows[-1]["ratios"].items()})
        print({k: round(v, 1) for k, v in rows[-1]["update_ms"].items()}, flush=True)
        if arguments.overlap:
            rows[-1]["overlap_ms"] = overlap(name, arguments.repeats)
            print({k: round(v, 2) for k, v in rows[-1]["overlap_ms"].items()}, flush=True)
    write_result(
        "small_lm_speed",
        {
            "seconds": "of the processor, one thread",
            "repeats": arguments.repeats,
            "goal": 0.85,
            "note": arguments.note,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
