"""Episodes that begin within others: the same future, the right tokens given, groups that agree."""

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
import torch

from spelunk.agents.core.agent import Agent
from spelunk.agents.llm.agent import LanguageModelAgent
from spelunk.agents.llm.branching import (
    HandOver,
    Player,
    as_answers,
    criticise,
)
from spelunk.agents.llm.contexts import context
from spelunk.agents.llm.imitation.examples import rollout_examples
from spelunk.agents.llm.imitation.experts import TracedAgent, expert_for
from spelunk.agents.llm.models.model import LanguageModel
from spelunk.agents.llm.models.tokenizer import build_tokenizer, collect_texts
from spelunk.agents.llm.rollout import play, rescored
from spelunk.agents.llm.scribe import BEGUN, Moment
from spelunk.envs.kernel.errors import InvalidArgumentError

LANES = 4


class Bed(NamedTuple):
    """An environment with a tiny model, and how the model plays there."""

    env: Any
    agent: LanguageModelAgent


WHERE: dict[str, tuple[str, dict[str, Any], str, bool]] = {
    "bandit": ("BernoulliBandit-v0", {"arms": 3, "horizon": 5}, "rewards", True),
    "moves": ("Countdown-v0", {"numbers": 4, "highest": 20, "target": (1, 50)}, "state", True),
    "moves told": ("Countdown-v0", {"numbers": 4, "highest": 20}, "dialogue", True),
    "answers": (
        "CountdownAnswer-v0",
        {"numbers": 3, "highest": 20, "target": (1, 50), "dialect": "compact"},
        "state",
        False,
    ),
    "search": (
        "KnowledgeSearch-v0",
        {"actions": "text", "dialect": "compact", "documents": 100, "max_episode_steps": 6},
        "dialogue",
        False,
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=WHERE)
def bed(request):
    bed = make(request.param)
    yield bed
    bed.env.close()


def make(name, temperature=1.0):
    short, kwargs, told, grammar = WHERE[name]
    env_id = f"spelunk/{short}"
    texts = collect_texts(env_id, episodes=8, **kwargs)
    model = LanguageModel.small(build_tokenizer(texts), hidden_size=16, layers=1, heads=2)
    env = gymnasium.make_vec(env_id, num_envs=LANES, autoreset_mode="SAME_STEP", **kwargs)
    agent = LanguageModelAgent(
        model, told, temperature, max_tokens=None if grammar else 6, grammar=grammar
    )
    return Bed(env, agent)


def go(bed, starts, seed=0, **kwargs):
    return play(bed.agent, bed.env, starts, seed, bed.agent.model.end, **kwargs)


def check_log_probs(bed, rollout):
    """They are those of a teacher-forced pass, and of given tokens there are none."""
    forced = rescored(rollout, bed.agent.model)
    torch.testing.assert_close(rollout.log_probs, forced.log_probs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rollout.entropies, forced.entropies, atol=1e-4, rtol=1e-4)
    given = rollout.turns < 0
    for values in (rollout.log_probs, rollout.drawn, rollout.entropies):
        assert (values[given] == 0).all()
        assert (values[~given] != 0).any()


def whole(rollout, episode, from_turn):
    """The tokens of an episode from a turn on, padding left out."""
    rows = (rollout.episodes == episode).nonzero().squeeze(1).tolist()
    rows = [row for row in rows if rollout.turns[row].max() >= from_turn]
    return [rollout.tokens[row, : rollout.ends[row]].tolist() for row in rows]


def points(rollout, episode):
    """Every turn of an episode, with all that can be kept of its answer."""
    for turn in range(int(rollout.lengths[episode])):
        here = (rollout.episodes == episode)[:, None] & (rollout.turns == turn)
        yield from ((turn, kept) for kept in range(int(here.sum())))


def test_greedy_episodes_go_on_as_they_went(bed):
    """From any turn and any token; the environment's luck is the same again."""
    bed.agent.temperature = 0.0
    rollout = go(bed, [3, 4, 5, 6], keep_states=True)
    for episode in (0, 2):
        spots = list(points(rollout, episode))
        for turn, kept in spots[:: max(1, len(spots) // 4)]:
            moment = rollout.moment(episode, turn, kept)
            again = go(bed, [moment], keep_states=True)
            assert whole(again, 0, turn) == whole(rollout, episode, turn)
            assert again.lengths[0] == rollout.lengths[episode]
            length = int(again.lengths[0])
            assert torch.equal(again.rewards[0], rollout.rewards[episode, :length])
            assert again.truncated[0] == rollout.truncated[episode]
            assert again.answers[0] == rollout.answers[episode]
            assert (again.states[0, turn:length] == rollout.states[episode, turn:length]).all()
            own = again.turns[again.turns >= 0]
            assert own.min() == turn
            assert (again.turns == BEGUN).sum() == kept
    bed.agent.temperature = 1.0


def test_log_probs_of_forks_equal_a_teacher_forced_pass(bed):
    rollout = go(bed, [1, 1, 2, 2], seed=5, keep_states=True)
    check_log_probs(bed, rollout)
    spots = list(points(rollout, 1))
    moments = [rollout.moment(1, *spots[i % len(spots)]) for i in (1, 1, 5, -1)]
    forks = go(bed, moments, seed=6, groups=[7, 7, 8, 9], keep_states=True)
    check_log_probs(bed, forks)
    assert forks.groups.tolist() == [7, 7, 8, 9]
    # A fork of a fork knows how its answer began.
    first = moments[0]
    turn = len(first.rewards)
    again = forks.moment(0, turn)
    assert (again.tokens, again.answer) == (first.tokens, first.answer)
    check_log_probs(bed, go(bed, [again], seed=7))


def test_moments_that_are_the_same_are_a_group(bed):
    rollout = go(bed, [1, 1, 2, 2], keep_states=True)
    first, second = (rollout.moment(episode, 0) for episode in (0, 2))
    groups = go(bed, [first, second, first]).groups
    assert groups[0] == groups[2] != groups[1]


def test_answers_that_were_begun_get_no_longer_than_others():
    bed = make("answers")
    rollout = go(bed, [1, 2, 3, 4], keep_states=True)
    said = (rollout.turns == 0).sum(1)
    longest = int(said.argmax())
    assert said[longest] == 6
    assert rollout.truncated[longest]
    forks = go(bed, [rollout.moment(longest, 0, kept) for kept in (0, 2, 5)], seed=9)
    lengths = (forks.turns != -1).sum(1)
    assert (lengths <= 6).all()
    assert (forks.turns == 0).sum(1)[2] == 1
    with pytest.raises(InvalidArgumentError, match="fewer tokens"):
        rollout.moment(longest, 0, 6)
    with pytest.raises(InvalidArgumentError, match="a turn that was played"):
        rollout.moment(0, 1)
    with pytest.raises(InvalidArgumentError, match="needs states"):
        go(bed, [1]).moment(0, 0)


def test_examples_of_forks_have_whole_answers():
    bed = make("answers")
    rollout = go(bed, [1, 2, 3, 4], keep_states=True)
    longest = int((rollout.turns == 0).sum(1).argmax())
    forks = go(bed, [rollout.moment(longest, 0, 3)], seed=9)
    (before,) = list(rollout_examples(rollout, bed.agent.model))[longest].turns
    (after,) = next(rollout_examples(forks, bed.agent.model)).turns
    assert after == (before[0], forks.answers[0])


def test_a_state_alone_is_told_as_a_start():
    """Restarts: the moment holds no tokens, and the context tells the state."""
    bed = make("moves")
    rollout = go(bed, [1, 2, 3, 4], keep_states=True)
    starts = [rollout.states[episode, 1] for episode in range(3)]
    restarted = go(bed, [Moment(start) for start in starts], keep_states=True)
    check_log_probs(bed, restarted)
    for episode, start in enumerate(starts):
        told = rollout.moment(episode, 1).tokens
        assert restarted.moment(episode, 0).tokens == told
        assert bed.agent.model.decode(list(told)).lower() == describe(bed, start)
        assert restarted.lengths[episode] <= 2 < rollout.lengths[episode]


def describe(bed, state):
    """A state in words, as the tokenizer gives them back."""
    model = bed.agent.model
    return model.decode(model.encode_given(bed.env.prototype.describe_state(state)))


def test_experts_are_followed_up_to_a_turn():
    """Roll-ins: what the expert said is given, its rewards are counted, and groups agree."""
    bed = make("bandit")
    expert = TracedAgent(expert_for(bed.env.spec.id, "ucb1"), bed.agent.model, context("rewards"))
    led = play(expert, bed.env, [1, 2], 0, bed.agent.model.end, keep_states=True)
    moments = [led.moment(i, 3) for i in (0, 0, 1, 1)]
    rollout = go(bed, moments, groups=[0, 0, 1, 1])
    check_log_probs(bed, rollout)
    assert rollout.turns[rollout.turns >= 0].unique().tolist() == [3, 4]
    assert torch.equal(rollout.rewards[:, :3], led.rewards[[0, 0, 1, 1], :3])
    for lane, episode in enumerate((0, 0, 1, 1)):
        shared = len(moments[lane].tokens)
        assert torch.equal(rollout.tokens[lane, :shared], led.tokens[episode, :shared])
        assert (rollout.turns[lane, :shared] < 0).all()
    with pytest.raises(InvalidArgumentError, match="only a language model"):
        play(expert, bed.env, [led.moment(0, 3, 1)], 0, bed.agent.model.end)


class Pull(Agent):
    """Pulls one arm."""

    def __init__(self, arm):
        self.arm = arm

    def act(self, observations, infos):
        return np.full(self.env.num_envs, self.arm)


@pytest.mark.parametrize("told", ["rewards", "state"])
def test_somebody_else_ends_an_episode(told):
    """Roll-outs: two turns of the policy, whose log-probabilities hold; then arm 1 for certain."""
    kwargs = {"means": [0.0, 1.0, 0.0], "horizon": 5}
    bed = make("bandit")
    env = gymnasium.make_vec("spelunk/BernoulliBandit-v0", num_envs=4,
                             autoreset_mode="SAME_STEP", **kwargs)  # fmt: skip
    policy = LanguageModelAgent(bed.agent.model, told, grammar=True)
    rollout = play(HandOver(policy, Pull(1), 2), env, [1, 1, 2], 0, policy.model.end)
    assert rollout.turns.max() == 1
    assert (rollout.rewards[:, 2:] == 1).all()
    assert rollout.lengths.tolist() == [5, 5, 5]
    forced = rescored(rollout, policy.model)
    torch.testing.assert_close(rollout.log_probs, forced.log_probs, atol=1e-4, rtol=1e-4)
    arms = [answer.split()[-1] for answer in rollout.answers]
    assert rollout.rewards[:, 1].tolist() == [float(arm == "2") for arm in arms]
    alone = play(HandOver(policy, Pull(0), 5), env, [1, 1, 2], 0, policy.model.end)
    assert torch.equal(alone.tokens, play(policy, env, [1, 1, 2], 0, policy.model.end).tokens), (
        "nobody else has played"
    )


# --- refinements ---


def test_refinements_are_answers_to_the_task_alone():
    bed = make("answers")
    model, seeds = bed.agent.model, [1, 1, 2, 3]
    rollout = go(bed, seeds, keep_states=True)
    assert rollout.rewards.sum() == 0, "an untrained model solves nothing"
    moments = criticise(rollout, bed.env, model, [0, 3])
    tasks = [bed.env.prototype.task(rollout.states[i, 0]) for i in (0, 3)]
    for moment, task in zip(moments, tasks, strict=True):
        told = model.decode(list(moment.tokens))
        assert told.startswith("attempt")
        assert "critique no answer" in told
        assert told.endswith(task)
    expert = TracedAgent(expert_for(bed.env.spec.id, None), model, context("state"))
    fixed = play(expert, bed.env, moments, 0, model.end, groups=[0, 2])
    assert fixed.rewards.sum(1).tolist() == [1, 1]
    written = as_answers(fixed, rollout, [0, 3], bed.agent)
    assert written.refined.all()
    assert written.groups.tolist() == [0, 2]
    for row, task in enumerate(tasks):
        given = written.tokens[row][: len(rollout.moment((0, 3)[row], 0).tokens)]
        assert model.decode(given.tolist()) == task
        said = written.tokens[row][written.turns[row] == 0].tolist()
        assert said == model.encode_answer(fixed.answers[row])
    forced = model.log_probs(written.tokens) * written.generated
    torch.testing.assert_close(written.log_probs, forced, atol=1e-5, rtol=1e-5)
    assert torch.equal(written.drawn, written.log_probs)
    assert (written.entropies[written.generated] > 0).all()


def test_indicators_tell_no_more_than_that_an_answer_is_wrong():
    bed = make("answers")
    rollout = go(bed, [1], keep_states=True)
    (moment,) = criticise(rollout, bed.env, bed.agent.model, [0], "indicator")
    assert "critique wrong" in bed.agent.model.decode(list(moment.tokens))
    expert = TracedAgent(expert_for(bed.env.spec.id, None), bed.agent.model, context("state"))
    right = play(expert, bed.env, [1], 0, bed.agent.model.end, keep_states=True)
    (moment,) = criticise(right, bed.env, bed.agent.model, [0], "full")
    assert "critique right" in bed.agent.model.decode(list(moment.tokens))
    with pytest.raises(InvalidArgumentError, match="form of"):
        criticise(rollout, bed.env, bed.agent.model, [0], "rude")  # pyright: ignore
    with pytest.raises(InvalidArgumentError, match="criticises answers"):
        criticise(rollout, make("moves").env, bed.agent.model, [0])


# --- more episodes for editors ---


def test_players_play_any_number_of_episodes():
    bed = make("moves")
    rollout = go(bed, [1, 1, 2, 2], keep_states=True)
    player = Player(bed.agent, bed.env, [1, 2], 2, seed=3, keep_states=True)
    moments = [rollout.moment(i % 4, 1) for i in range(6)]
    more = player.go_on(moments, [5, 6, 7, 8, 5, 6])
    assert more.groups.tolist() == [5, 6, 7, 8, 5, 6]
    assert player.spent.env_steps == int(more.lengths.sum()) - 6
    check_log_probs(bed, more)
    again = Player(bed.agent, bed.env, [1, 2], 2, seed=3, keep_states=True)
    assert torch.equal(again.go_on(moments, [5, 6, 7, 8, 5, 6]).tokens, more.tokens)
    assert not torch.equal(again.go_on(moments, [5, 6, 7, 8, 5, 6]).tokens, more.tokens)
    both = again.again([1], heat=2.0)
    assert len(both.groups) == 2
    assert (both.drawn != both.log_probs).any()
    assert bed.agent.heat is None


def test_experts_lead_from_the_starts_of_groups():
    bed = make("search")
    player = Player(bed.agent, bed.env, [1, 2, 3], 2, seed=3, keep_states=True)
    led = player.lead([0, 2], None)
    assert led.groups.tolist() == [0, 2]
    assert led.rewards.sum(1).tolist() == [1, 1]
    own = play(bed.agent, bed.env, [1, 3], 0, bed.agent.model.end, keep_states=True)
    assert (led.states[:, 0] == own.states[:, 0]).all()
