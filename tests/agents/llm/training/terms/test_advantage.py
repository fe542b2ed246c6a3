"""Advantages against sums episode by episode, and on cases worked out by hand."""

import math

import pytest
import torch

from spelunk.agents.llm.training.terms.advantage import ADVANTAGES, entropic, gae_of_steps

GROUPS = torch.tensor([0, 1, 0, 1, 0])
RETURNS = torch.tensor([[3.0, 1.0], [2.0, 2.0], [0.0, 1.0], [4.0, 0.0], [0.0, 4.0]])
PLAYED = torch.ones(5, 2, dtype=torch.bool)
SEEDS = pytest.mark.parametrize("seed", range(3))


def estimate(name, **settings):
    return ADVANTAGES[name](RETURNS, PLAYED, GROUPS, **settings)


def random_case(seed):
    """Twelve episodes of up to three turns in groups of three, four and five."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.tensor([0, 1, 2, 2, 1, 0, 1, 2, 0, 2, 1, 2])
    lengths = torch.randint(1, 4, (12,), generator=generator)
    played = torch.arange(3) < lengths[:, None]
    returns = torch.randn(12, 3, generator=generator) * played
    return returns, played, groups


def test_the_registry_has_them_all():
    names = ["reinforce", "group_mean", "grpo", "lite", "rloo", "entropic", "gae"]
    assert list(ADVANTAGES) == names


@pytest.mark.parametrize("name", ["group_mean", "grpo", "lite", "rloo"])
def test_advantages_sum_to_zero_in_each_group(name):
    advantages = estimate(name)
    for group in (0, 1):
        torch.testing.assert_close(advantages[group == GROUPS].sum(0), torch.zeros(2))


@pytest.mark.parametrize("name", [name for name in ADVANTAGES if name != "gae"])
@SEEDS
def test_against_loops(name, seed):
    returns, played, groups = random_case(seed)
    found = ADVANTAGES[name](returns, played, groups)
    seen = returns[played].double()
    mean, spread = seen.mean(), seen.std(correction=0)
    for e in range(12):
        mates = [j for j in range(12) if groups[j] == groups[e]]
        for t in range(3):
            if not played[e, t]:
                continue
            r = returns[e, t].double().item()
            column = [returns[j, t].double().item() for j in mates]
            centred = r - sum(column) / len(column)
            if name == "reinforce":
                expected = r - mean
            elif name == "group_mean":
                expected = centred
            elif name == "grpo":
                squares = []
                for u in range(3):
                    own = [returns[j, u].double().item() for j in mates]
                    squares += [
                        (x - sum(own) / len(own)) ** 2
                        for j, x in zip(mates, own, strict=True)
                        if played[j, u]
                    ]
                expected = centred / (math.sqrt(sum(squares) / len(squares)) + 1e-6)
            elif name == "lite":
                expected = centred / (spread + 1e-6)
            elif name == "rloo":
                expected = r - (sum(column) - r) / (len(column) - 1)
            else:
                expected = entropic_by_hand(column, mates.index(e))
            assert found[e, t].item() == pytest.approx(float(expected), abs=1e-5, rel=1e-5)


def divergence(column, b):
    shares = [math.exp(b * (r - max(column))) for r in column]
    shares = [s / sum(shares) for s in shares]
    return sum(s * math.log(s * len(column)) for s in shares if s > 0)


def entropic_by_hand(column, i):
    """The slope is doubled until it is too steep, then halved in on."""
    low, high = 0.0, 1.0
    while divergence(column, high) < math.log(2) and high < 1e7:
        high *= 2
    for _ in range(100):
        b = (low + high) / 2
        low, high = (b, high) if divergence(column, b) < math.log(2) else (low, b)
    weights = [math.exp(low * (r - max(column))) for r in column]
    others = [w for j, w in enumerate(weights) if j != i]
    return weights[i] / (sum(others) / len(others)) - 1


def test_entropic_with_a_given_slope_by_hand():
    """Weights e^(ln 2 · r) are 8, 1, 1 and 2, 1, 16 in the first group."""
    advantages = estimate("entropic", b=math.log(2))
    first = advantages[GROUPS == 0]
    torch.testing.assert_close(
        first, torch.tensor([[7.0, 2 / 9 - 1], [1 / 4.5 - 1, 2 / 9 - 1], [1 / 4.5 - 1, 7.0]])
    )


def test_entropic_in_the_limit_of_half_a_group():
    """Two of four are best: no slope is steep enough, and the others count nothing."""
    returns, played = torch.tensor([[1.0], [1.0], [0.0], [0.0]]), torch.ones(4, 1, dtype=torch.bool)
    found = entropic(returns, played, torch.zeros(4, dtype=torch.int64))
    torch.testing.assert_close(found, torch.tensor([[2.0], [2.0], [-1.0], [-1.0]]))


def test_entropic_knows_nothing_of_pairs_and_equals():
    returns, played = torch.tensor([[1.0], [0.0], [5.0], [5.0], [5.0]]), PLAYED[:, :1]
    found = entropic(returns, played, torch.tensor([0, 0, 1, 1, 1]))
    assert (found == 0).all()
    assert (entropic(returns, played, torch.arange(5), b=1.0) == 0).all()


def test_entropic_does_not_depend_on_the_scale_of_returns():
    returns, played, groups = random_case(0)
    found = entropic(returns, played, groups)
    scaled = entropic(1e3 * returns + 7e3, played, groups)
    torch.testing.assert_close(scaled, found, rtol=1e-3, atol=1e-3)


def test_reinforce_leaves_turns_after_the_end_out_of_its_mean():
    played = torch.tensor([[True, True], [True, False]])
    returns = torch.tensor([[2.0, 2.0], [5.0, 0.0]])
    advantages = ADVANTAGES["reinforce"](returns, played, torch.tensor([0, 0]))
    torch.testing.assert_close(advantages[0], torch.tensor([-1.0, -1.0]))


def test_group_mean_by_hand():
    torch.testing.assert_close(
        estimate("group_mean"),
        torch.tensor([[2.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 2.0]]),
    )


def test_rloo_compares_with_the_others_only():
    torch.testing.assert_close(estimate("rloo")[0], torch.tensor([3.0 - 0.0, 1.0 - 2.5]))


def test_grpo_has_unit_spread_and_ignores_equal_groups():
    advantages = estimate("grpo")
    for group in (0, 1):
        spread = advantages[group == GROUPS].square().mean().sqrt()
        torch.testing.assert_close(spread, torch.tensor(1.0))
    equal = ADVANTAGES["grpo"](torch.full((5, 2), 7.0), PLAYED, GROUPS)
    assert (equal == 0).all()


def test_lite_does_not_blow_up_a_group_that_hardly_differs():
    returns = torch.tensor([[0.0], [10.0], [5.0], [5.01]])
    groups, played = torch.tensor([0, 0, 1, 1]), torch.ones(4, 1, dtype=torch.bool)
    assert ADVANTAGES["grpo"](returns, played, groups)[3].item() == pytest.approx(1.0, abs=1e-3)
    assert ADVANTAGES["lite"](returns, played, groups)[3].item() < 2e-3


@pytest.mark.parametrize("name", [name for name in ADVANTAGES if name != "gae"])
def test_nothing_is_undefined_where_no_turn_is_learned_from(name):
    assert ADVANTAGES[name](RETURNS, torch.zeros_like(PLAYED), GROUPS).isfinite().all()


@SEEDS
def test_gae_against_its_definition(seed):
    """A = Σ (γλ)ᵏ δ over the turns that are left."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([1, 4, 2, 3])
    played = torch.arange(4) < lengths[:, None]
    rewards = torch.randn(4, 4, generator=generator) * played
    values = torch.randn(4, 4, generator=generator)
    beyond = torch.tensor([0.0, 3.0, -2.0, 0.0])
    found = gae_of_steps(rewards, values, played, beyond, gamma=0.9, lam=0.8)
    for e in range(4):
        n = int(lengths[e])
        after = [*values[e, 1:n].tolist(), beyond[e].item()]
        errors = [rewards[e, t].item() + 0.9 * after[t] - values[e, t].item() for t in range(n)]
        for t in range(4):
            expected = sum(0.72 ** (u - t) * errors[u] for u in range(t, n))
            assert found[e, t].item() == pytest.approx(expected, abs=1e-5)


def test_gae_with_lambda_one_is_the_return_minus_the_value():
    rewards, values = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[10.0, 20.0, 30.0]])
    played = torch.ones(1, 3, dtype=torch.bool)
    found = gae_of_steps(rewards, values, played, torch.zeros(1), lam=1.0)
    torch.testing.assert_close(found, torch.tensor([[-3.0, -14.0, -26.0]]))
