"""Editors in training: what they add, what is learned of it, and that they go on exactly."""

import json
from typing import Any

import pytest
import torch

from spelunk.agents.core.trainer import Task
from spelunk.agents.llm.rollout import rescored
from spelunk.agents.llm.training.trainer import Config, LanguageModelTrainer
from spelunk.envs.kernel.errors import InvalidArgumentError

MOVES = "spelunk/Countdown-v0", {"numbers": 4, "highest": 20, "target": (1, 50)}
ANSWERS = "spelunk/CountdownAnswer-v0", {
    "numbers": 3, "highest": 10, "target": (1, 20), "dialect": "compact",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(where, **slots):
    """A tiny trainer with four groups of four, and the rollouts that it learns from."""
    env_id, kwargs = where
    config: dict[str, Any] = {
        "hidden_size": 16, "layers": 1, "heads": 2, "num_minibatches": 2, "group_size": 4,
        "sft_updates": 0, "max_tokens": 6 if where is ANSWERS else None,
        "grammar": where is MOVES,
    }  # fmt: skip
    trainer = LanguageModelTrainer(Task(env_id, 10**6, 16, kwargs), Config(**config | slots))
    seen, learn = [], trainer._learn
    trainer._learn = lambda rollout, advantages, rows: (
        seen.append((rollout, advantages, rescored(rollout, trainer.model)))
        or learn(rollout, advantages, rows)
    )
    return trainer, seen


def check(rollout, advantages, forced):
    """Log-probabilities are those of a teacher-forced pass; given tokens teach nothing."""
    torch.testing.assert_close(rollout.log_probs, forced.log_probs, atol=1e-4, rtol=1e-4)
    assert (advantages[rollout.turns < 0] == 0).all()


def added(rollout):
    """The rows of the episodes that an editor has added."""
    return rollout.episodes >= 16


@pytest.mark.parametrize("where", [MOVES, ANSWERS])
def test_forks_at_unsure_tokens(where):
    trainer, seen = train(where, editors=("fork(points=2, branches=3)",))
    trainer.step()
    ((rollout, advantages, forced),) = seen
    check(rollout, advantages, forced)
    assert rollout.groups[16:].bincount().tolist() == [0] * 4 + [3] * 8
    rows = rollout.turns[added(rollout)]
    assert (rows == -2).any(1).sum() == 24, "each begins within an answer"
    # The most uncertain token of the first episode is where its first branches begin.
    first = rollout.episodes == 0
    places = rollout.generated[first].clone()
    for row in range(len(places)):
        for turn in rollout.turns[first][row].unique().tolist():
            start = (rollout.turns[first][row] == turn).nonzero()[0]
            places[row, start] &= turn < 0
    entropies = rollout.entropies[first].masked_fill(~places, -1)
    row, column = divmod(int(entropies.argmax()), entropies.shape[1])
    token = rollout.tokens[first][row, :column]
    branch = (rollout.episodes == 16).nonzero()[0]
    assert torch.equal(rollout.tokens[branch][0, :column], token)
    assert (rollout.turns[branch][0, :column] < 0).all()
    assert rollout.turns[branch][0, column] >= 0


def test_forks_before_turns_can_join_the_group_they_come_from():
    trainer, seen = train(MOVES, editors=("fork(unit='turn', same_group=True, branches=2)",))
    steps = trainer.step()["length_mean"]
    ((rollout, advantages, forced),) = seen
    check(rollout, advantages, forced)
    assert rollout.groups.unique().tolist() == [0, 1, 2, 3]
    assert rollout.groups[16:].bincount().tolist() == [2] * 4
    own = rollout.turns[added(rollout)]
    assert own.max(1).values.min() >= 1, "the first turn is nobody's but the first episode's"
    for group in range(4):
        rows = (rollout.episodes == 4 * group).nonzero().squeeze(1)  # a sequence for each turn
        means = [float(rollout.entropies[row][rollout.turns[row] >= 0].mean()) for row in rows]
        unsure = 1 + max(range(len(means) - 1), key=lambda i: means[i + 1])
        branch = rollout.turns[rollout.episodes == 16 + 2 * group]
        assert branch[branch >= 0].min() == unsure
    before = int(rollout.lengths.sum()) - trainer.env_steps
    assert 8 <= before <= 16, "what was given is not counted as played"
    assert steps > 0


@pytest.mark.parametrize(("where", "unit"), [(MOVES, "turn"), (MOVES, "token"), (ANSWERS, "token")])
def test_an_expert_begins(where, unit):
    expert = "oracle" if where is ANSWERS else "random"
    settings = f"expert='{expert}', unit='{unit}', share=0.5, branches=3"
    trainer, seen = train(where, editors=(f"roll_in({settings})",))
    trainer.step()
    ((rollout, advantages, forced),) = seen
    check(rollout, advantages, forced)
    assert rollout.groups[16:].tolist() == [4, 4, 4, 5, 5, 5]
    rows = rollout.turns[added(rollout)]
    first = rows.where(rows >= 0, torch.tensor(99)).min(1).values
    assert (first >= 1).all() if unit == "turn" else ((rows == -2).any(1)).sum() >= 6
    for start in (16, 19):
        alike = [rollout.tokens[rollout.episodes == start + i][0] for i in range(3)]
        given = [rollout.turns[rollout.episodes == start + i][0] < 0 for i in range(3)]
        kept = min(int(row.int().cumprod(0).sum()) for row in given)
        assert kept > 3
        assert torch.equal(alike[0][:kept], alike[1][:kept])


def test_groups_restart_in_the_middle_of_earlier_episodes():
    trainer, seen = train(MOVES, editors=("restart(groups=2, branches=3, size=5)",))
    for _ in range(3):
        trainer.step()
    check(*seen[0])
    check(*seen[2])
    assert [len(rollout.groups) for rollout, *_ in seen] == [16, 22, 22]
    rollout = seen[1][0]
    assert rollout.groups[16:].tolist() == [4, 4, 4, 5, 5, 5]
    earlier = seen[0][0]
    for episode in (16, 19):
        turn = int(rollout.turns[rollout.episodes == episode].max(1).values.min())
        state = rollout.states[episode, turn]
        assert state in earlier.states[:, turn]
    assert len(trainer.terms.memory()["editors.0"]["moments"]) == 5


@pytest.mark.parametrize("form", ["indicator", "full"])
def test_wrong_answers_are_refined(form):
    """In their own group, under the task alone, with their own share of the gradient."""
    trainer, seen = train(
        ANSWERS,
        editors=(f"refine(form='{form}', answers=2)",),
        transforms=("critique_shape",),
    )
    trainer.step()
    ((rollout, advantages, forced),) = seen
    check(rollout, advantages, forced)
    assert rollout.groups.tolist() == [i // 4 for i in range(16)] + [0, 0, 1, 1, 2, 2, 3, 3]
    assert rollout.refined.nonzero().flatten().tolist() == list(range(16, 24))
    assert trainer.env_steps == 24
    for row in range(16, 24):
        original = rollout.tokens[4 * int(rollout.groups[row])]
        told = int((rollout.turns[row] >= 0).nonzero()[0])
        assert torch.equal(rollout.tokens[row, :told], original[:told])
    assert torch.equal(rollout.drawn, rollout.log_probs)


@pytest.mark.parametrize(
    ("where", "editors"),
    [
        (MOVES, ("fork", "restart", "roll_in(expert='random')")),
        (ANSWERS, ("refine", "fork(points=2)", "self_imitation(threshold=-0.5)")),
        (ANSWERS, ("fork", "aepo(target=9.0)")),
    ],
)
def test_training_with_editors_goes_on_exactly(where, editors):
    trainer, other = (train(where, editors=editors)[0] for _ in range(2))
    for _ in range(2):
        trainer.step()
    arrays, meta = trainer.state()
    other.load_state({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(meta)))
    for _ in range(2):
        assert trainer.step() == other.step()
    assert trainer.env_steps == other.env_steps


def test_wrong_settings_are_explained():
    trainer, _ = train(MOVES, editors=("fork(unit='page')",))
    with pytest.raises(InvalidArgumentError, match="unit must be"):
        trainer.step()
    trainer, _ = train(MOVES, editors=("refine",))
    with pytest.raises(InvalidArgumentError, match="criticises answers"):
        trainer.step()
