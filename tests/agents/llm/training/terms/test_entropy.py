"""Regularisers against sums token by token, and on cases worked out by hand."""

import json
import math

import pytest
import torch

from spelunk.agents.llm.training.minibatch import Minibatch
from spelunk.agents.llm.training.terms.aggregation import token_mean
from spelunk.agents.llm.training.terms.entropy import (
    REGULARISERS,
    entropy_bonus,
    entropy_target,
    epo,
    kl,
    siren,
)
from spelunk.agents.llm.training.terms.entropy_selected import clip_cov, kl_cov, lp_reg, steer, tea
from spelunk.agents.llm.training.terms.loss import ppo_clip
from spelunk.agents.llm.training.terms.selection import covariances
from spelunk.agents.llm.training.terms.specification import Term, read_term
from spelunk.envs.kernel.errors import InvalidArgumentError

from .batches import check, minibatch, places, tokens

SEEDS = pytest.mark.parametrize("seed", range(3))
REQUIRED = {"entropy_bonus": 0.1, "entropy_target": 0.1, "kl": 0.1}
TERMS = [
    "entropy_bonus(coefficient=0.1)",
    "entropy_target(target=0.5, coefficient=0.1)",
    "kl(coefficient=0.1)",
    "kl(coefficient=0.1, estimator='k1')",
    "clip_cov(low=-10.0, high=10.0)",
    "kl_cov",
    "lp_reg",
    "siren",
    "epo(high=1.0)",
    "steer",
    "steer(mode='exponential')",
    "tea",
]


def opened(batch):
    """Losses without clipping, and the same token by token."""
    base = {s: -x.ratio * x.advantage * x.weight for s, x in tokens(batch).items()}
    return ppo_clip(batch, low=1.0, high=1e6), base


def plus(base, extra):
    return {place: base[place] + extra[place] for place in base}


def cov(seen):
    """Covariances by hand: a dictionary like that of the tokens."""
    n = len(seen)
    advantage = sum(x.advantage for x in seen.values()) / n
    log_p = sum(x.log_p.item() for x in seen.values()) / n
    return {s: (x.advantage - advantage) * (x.log_p.item() - log_p) for s, x in seen.items()}


def top(scores, count):
    return sorted(scores, key=scores.__getitem__, reverse=True)[:count]


# --- what holds for all ---


@pytest.mark.parametrize("text", TERMS)
def test_nothing_happens_where_nothing_was_generated(text):
    batch = minibatch()
    losses = torch.randn(batch.generated.shape) * batch.generated
    found = read_term(text, REGULARISERS, "regulariser")(losses, batch)
    assert (found[~batch.generated] == 0).all()
    (gradient,) = torch.autograd.grad(
        found.sum() + batch.log_probs[batch.generated].sum(), batch.logits
    )
    assert (gradient[~batch.generated[:, 1:]] == 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("text", TERMS)
def test_a_minibatch_of_nothing_is_left_alone(text):
    batch = minibatch()
    nothing = torch.zeros_like(batch.generated)
    batch = minibatch(
        generated=nothing, old=batch.old * nothing, advantages=batch.advantages * nothing
    )
    losses = torch.zeros(nothing.shape)
    found = read_term(text, REGULARISERS, "regulariser")(losses, batch)
    assert (found == 0).all()


@pytest.mark.parametrize("text", TERMS)
def test_every_term_touches_something(text):
    batch = minibatch()
    losses = opened(batch)[0]
    term = read_term(text, REGULARISERS, "regulariser")
    term(losses, minibatch(5))  # for terms that compare with what they saw first
    assert ((term(losses, batch) != losses) & batch.generated).any()


@pytest.mark.parametrize("text", ["entropy_bonus(coefficient=0.3)", "siren(coefficient=2.0)"])
def test_gradients_are_those_of_finite_differences(text):
    batch, memory = minibatch(), {"anchor": 0.4}
    direction = torch.randn(batch.logits.shape, generator=torch.Generator().manual_seed(1))

    def value(step):
        moved = minibatch(logits=batch.logits + step * direction)
        term = read_term(text, REGULARISERS, "regulariser")
        term.memory.update(memory)
        return term(torch.zeros(moved.generated.shape), moved).sum()

    (gradient,) = torch.autograd.grad(value(0.0), batch.logits)
    slope = (value(1e-2) - value(-1e-2)).item() / 2e-2
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-2, abs=1e-3)


# --- terms over all tokens ---


@SEEDS
def test_entropy_bonus(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    extra = {s: -0.3 * x.entropy for s, x in tokens(batch).items()}
    check(entropy_bonus(losses, batch, coefficient=0.3), plus(base, extra), batch)


@SEEDS
def test_entropy_target(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    seen = tokens(batch)
    mean = sum(x.entropy for x in seen.values()) / len(seen)
    extra = dict.fromkeys(seen, 0.7 * (mean - 0.5) ** 2)
    found = entropy_target(losses, batch, target=0.5, coefficient=0.7)
    check(found, plus(base, extra), batch)
    grown = token_mean(found, batch.generated) - token_mean(losses, batch.generated)
    assert grown.item() == pytest.approx(extra[places(batch)[0]].item(), abs=1e-5)


@SEEDS
def test_kl_k3(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    extra = {}
    for s, x in tokens(batch).items():
        over = torch.exp(x.reference - x.log_p)
        extra[s] = 0.2 * (over - 1 - over.log())
    check(kl(losses, batch, coefficient=0.2, estimator="k3"), plus(base, extra), batch)


@SEEDS
def test_kl_k1_has_the_log_ratio_as_value_and_its_score_as_gradient(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    extra = {}
    for s, x in tokens(batch).items():
        d = x.log_p.detach() - x.reference
        extra[s] = 0.2 * (d + d * (x.log_p - x.log_p.detach()))
    check(kl(losses, batch, coefficient=0.2, estimator="k1"), plus(base, extra), batch)


def test_kl_k1_follows_the_divergence_in_expectation_and_k3_the_other_one():
    """Every token of a vocabulary once, weighed by how likely it is to be drawn."""
    logits, other = torch.randn(2, 6, generator=torch.Generator().manual_seed(3))
    reference = other.log_softmax(-1)
    gradients = {}
    for estimator in ("k1", "k3"):
        batch = Minibatch(
            tokens=torch.stack((torch.zeros(6, dtype=torch.int64), torch.arange(6)), 1),
            generated=torch.tensor([[False, True]] * 6),
            old=torch.zeros(6, 2),
            advantages=torch.zeros(6, 2),
            weights=torch.ones(6, 2),
            reference=torch.stack((torch.zeros(6), reference), 1),
            logits=logits.repeat(6, 1)[:, None].requires_grad_(),
        )
        losses = kl(torch.zeros(6, 2), batch, coefficient=1.0, estimator=estimator)
        chances = logits.softmax(-1)
        (gradient,) = torch.autograd.grad((losses[:, 1] * chances).sum(), batch.logits)
        gradients[estimator] = gradient.sum((0, 1))
    p = logits.clone().requires_grad_()
    forward = (p.softmax(-1) * (p.log_softmax(-1) - reference)).sum()
    backward = (reference.exp() * (reference - p.log_softmax(-1))).sum()
    torch.testing.assert_close(gradients["k1"], torch.autograd.grad(forward, p)[0])
    torch.testing.assert_close(gradients["k3"], torch.autograd.grad(backward, p)[0])


def test_kl_needs_the_reference_and_knows_its_estimators():
    assert kl.needs == {"reference"}
    with pytest.raises(InvalidArgumentError, match="'k2'"):
        kl(torch.zeros(4, 10), minibatch(), coefficient=1.0, estimator="k2")


@SEEDS
def test_siren(seed):
    batch, memory = minibatch(seed, vocabulary=12), {"anchor": 0.6}
    losses, base = opened(batch)
    found = siren(losses, batch, memory=memory, p=0.8, tau=0.7, coefficient=0.5)
    entropies = {}
    for s, x in tokens(batch).items():
        likely, kept = x.probabilities.argsort(descending=True).tolist(), []
        while sum(x.probabilities[v].item() for v in kept) < 0.8:
            kept.append(likely[len(kept)])
        q = x.probabilities[kept] / x.probabilities[kept].sum()
        entropies[s] = -(q * q.log()).sum()
    values = torch.stack(list(entropies.values()))
    bound = values.detach().quantile(0.7)
    peaks = [h for h in entropies.values() if h >= bound]
    assert 0 < len(peaks) < len(values) / 2
    extra = 0.5 * (sum(peaks) / len(peaks) - 0.6) ** 2
    check(found, plus(base, dict.fromkeys(base, extra)), batch)


def test_siren_takes_its_anchor_from_the_first_minibatch():
    memory, losses = {}, torch.zeros(4, 10)
    found = siren(losses, minibatch(0), memory=memory)
    assert found.abs().max() < 1e-9
    anchor = memory["anchor"]
    assert siren(losses, minibatch(1), memory=memory).abs().max() > 1e-8
    assert memory == {"anchor": anchor}


def test_siren_ignores_what_is_outside_the_nucleus():
    batch = minibatch()
    rows = batch.logits.detach().clone()
    rows[..., 0] = -8.0  # A token that no nucleus of 0.9 holds.
    rows = rows.requires_grad_()
    batch = minibatch(logits=rows)
    found = siren(torch.zeros(4, 10), batch, memory={"anchor": 0.0}, tau=0.0)
    (gradient,) = torch.autograd.grad(found.sum(), rows)
    assert (gradient[..., 0].abs() < 1e-9).all()
    assert gradient[..., 1:].abs().max() > 1e-4


def test_siren_by_hand():
    """Of (½, ¼, ¼) a nucleus of 0.7 holds two, with entropy ⅔ ln 3/2 + ⅓ ln 3."""
    batch = minibatch(vocabulary=3, logits=torch.tensor([0.5, 0.25, 0.25]).log().expand(4, 9, 3))
    memory = {}
    siren(torch.zeros(4, 10), batch, memory=memory, p=0.7)
    expected = 2 / 3 * math.log(3 / 2) + 1 / 3 * math.log(3)
    assert memory["anchor"] == pytest.approx(expected, abs=1e-6)


@SEEDS
def test_epo(seed):
    memory = {}
    settings = {"coefficient": 0.2, "low": 0.8, "high": 1.2, "alpha": 0.5, "rate": -0.1}
    first = minibatch(seed + 10)
    epo(torch.zeros(4, 10), first, memory=memory, **settings)
    batch = minibatch(seed)
    losses, base = opened(batch)
    found = epo(losses, batch, memory=memory, **settings)
    means = [
        sum(x.entropy.item() for x in seen.values()) / len(seen)
        for seen in (tokens(first), tokens(batch))
    ]
    mean, extra, inside = sum(means) / 2, {}, []
    for s, x in tokens(batch).items():
        low, high = 0.8 * mean, 1.2 * mean
        outside = max(low - x.entropy, x.entropy - high, 0 * x.entropy)
        extra[s] = -0.2 * (x.entropy - 0.5 * math.exp(-0.1) * outside)
        inside.append(outside.item() == 0)
    assert 0 < sum(inside) < len(inside)
    check(found, plus(base, extra), batch)
    assert memory["history"] == pytest.approx(means, abs=1e-5)


def test_epo_pulls_entropy_back_into_the_corridor():
    """The gradient is 1 − alpha times a bonus's where all is above, 1 + alpha where below."""
    batch = minibatch()
    (bonus,) = torch.autograd.grad(
        -batch.entropies[batch.generated].sum(), batch.logits, retain_graph=True
    )
    for low, high, factor in ((0.0, 1e-3, 1 - 3.0), (100.0, 200.0, 1 + 3.0)):
        settings = {"coefficient": 0.5, "low": low, "high": high, "alpha": 3.0}
        found = epo(torch.zeros(4, 10), batch, memory={}, **settings)
        (gradient,) = torch.autograd.grad(found.sum(), batch.logits, retain_graph=True)
        torch.testing.assert_close(gradient, 0.5 * factor * bonus, atol=1e-6, rtol=1e-4)


def test_epo_looks_back_over_a_window():
    memory = {"history": [9.0, 8.0, 7.0], "minibatches": 3}
    epo(torch.zeros(4, 10), minibatch(), memory=memory, window=2)
    assert memory["history"][0] == 7.0
    assert len(memory["history"]) == 2
    assert memory["minibatches"] == 4


# --- terms on selected tokens ---


@SEEDS
def test_covariances(seed):
    batch = minibatch(seed)
    expected = torch.zeros(batch.generated.shape)
    for place, value in cov(tokens(batch)).items():
        expected[place] = value
    torch.testing.assert_close(covariances(batch), expected, atol=1e-5, rtol=1e-5)
    assert not covariances(batch).requires_grad


@SEEDS
def test_clip_cov(seed):
    batch, memory = minibatch(seed), {}
    losses, base = opened(batch)
    found = clip_cov(losses, batch, memory=memory, share=0.2, low=0.3, high=3.0, minimum=1)
    scores = cov(tokens(batch))
    candidates = {
        s
        for s, x in tokens(batch).items()
        if 0.3 < scores[s] < 3.0 and not (x.advantage > 0 and x.ratio > 2)
    }
    dropped = {s for s in base if found[s] == 0}
    assert dropped <= candidates
    assert len(dropped) == min(len(candidates), int(0.2 * len(base))) > 0
    check(found, {s: v * (s not in dropped) for s, v in base.items()}, batch)


def test_clip_cov_leaves_out_what_the_loss_has_clipped():
    batch = minibatch(spread=1.0)
    losses = torch.ones(4, 10) * batch.generated
    found = clip_cov(losses, batch, memory={}, low=-1e9, high=1e9, minimum=1000, clip=0.2)
    kept = {s for s in places(batch) if found[s] == 1}
    assert kept == {
        s
        for s, x in tokens(batch).items()
        if (x.advantage > 0 and x.ratio > 1.2) or (x.advantage < 0 and x.ratio < 0.8)
    }
    assert 0 < len(kept) < len(places(batch))


def test_clip_cov_draws_anew_each_time_and_goes_on_where_it_stopped():
    batch = minibatch()
    losses = torch.ones(4, 10) * batch.generated
    text = "clip_cov(low=-1e9, high=1e9, minimum=5, seed=3)"

    def draws(term, n):
        return [(term(losses, batch) == 0).flatten().tolist() for _ in range(n)]

    whole = draws(read_term(text, REGULARISERS, "regulariser"), 4)
    assert len({tuple(d) for d in whole}) == 4
    term = read_term(text, REGULARISERS, "regulariser")
    first = draws(term, 2)
    again = Term(term.name, term.function, term.settings, json.loads(json.dumps(term.memory)))
    assert first + draws(again, 2) == whole
    other = read_term(text.replace("seed=3", "seed=4"), REGULARISERS, "regulariser")
    assert draws(other, 4) != whole


@SEEDS
def test_kl_cov(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    found = kl_cov(losses, batch, share=0.25, coefficient=0.6, minimum=2)
    seen = tokens(batch)
    for place in top(cov(seen), int(0.25 * len(seen))):
        base[place] = base[place] + 0.6 * (seen[place].log_p - seen[place].old).abs()
    check(found, base, batch)


def test_kl_cov_takes_the_least_number_but_never_padding():
    batch = minibatch()
    losses = torch.zeros(4, 10)
    assert (kl_cov(losses, batch, share=0.0, minimum=3) != 0).sum() == 3
    everything = kl_cov(losses, batch, share=0.0, minimum=1000) != 0
    assert (everything == batch.generated).all()


@SEEDS
def test_lp_reg(seed):
    batch = minibatch(seed, vocabulary=12)
    losses, base = opened(batch)
    found = lp_reg(losses, batch, kappa=0.1, share=0.8, coefficient=0.8, minimum=1)
    seen = tokens(batch)
    bad = {s: -x.log_p.item() for s, x in seen.items() if x.advantage < 0}
    touched = 0
    for place in top(bad, int(0.8 * len(bad))):
        x = seen[place]
        bound = 0.1 * x.probabilities.max().item()
        kept = [v.item() for v in x.probabilities if v.item() >= bound]
        if x.p.item() >= bound:
            d = math.log(x.p.item() / sum(kept)) - x.log_p
            base[place] = base[place] + 0.8 * (d.exp() - 1 - d)
            touched += 1
    assert 0 < touched < len(bad)
    check(found, base, batch)


def test_lp_reg_lifts_unlikely_tokens_and_leaves_noise():
    """Of (0.9, 0.09, 0.01), κ = 0.05 keeps the second and drops the third."""
    policy = torch.tensor([0.9, 0.09, 0.01]).log()
    for token, lifted in ((1, True), (2, False)):
        batch = Minibatch(
            tokens=torch.tensor([[0, token]]),
            generated=torch.tensor([[False, True]]),
            old=torch.tensor([[0.0, policy[token]]]),
            advantages=torch.tensor([[0.0, -1.0]]),
            weights=torch.ones(1, 2),
            reference=None,
            logits=policy[None, None].clone().requires_grad_(),
        )
        found = lp_reg(torch.zeros(1, 2), batch, kappa=0.05)
        (gradient,) = torch.autograd.grad(found.sum(), batch.logits)
        # d = −ln 0.99, and the derivative by the token's logit is (1 − eᵈ)(1 − p).
        expected = (1 - 1 / 0.99) * 0.91 if lifted else 0.0
        assert gradient[0, 0, token].item() == pytest.approx(expected, abs=1e-6)
        value = 1 / 0.99 - 1 + math.log(0.99) if lifted else 0.0
        assert found[0, 1].item() == pytest.approx(value, abs=1e-6)


def omegas(batch):
    return {
        s: abs(
            x.advantage
            / max(math.exp(x.old), 1e-8)
            * x.p.item()
            * (1 - x.p.item())
            * (x.log_p.item() + x.entropy.item())
        )
        for s, x in tokens(batch).items()
    }


@SEEDS
def test_steer_linear(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    sizes = omegas(batch)
    least, greatest = min(sizes.values()), max(sizes.values())
    expected = {
        s: v * (1.2 - 0.4 * (sizes[s] - least) / (greatest - least)) for s, v in base.items()
    }
    check(steer(losses, batch), expected, batch)


@SEEDS
def test_steer_exponential(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    sizes = omegas(batch)
    k = -math.log(0.7) / max(*sizes.values(), 0.02)
    expected = {s: v * math.exp(-k * sizes[s]) for s, v in base.items()}
    check(steer(losses, batch, mode="exponential", w_min=0.7), expected, batch)


def test_steer_with_a_quantile_is_not_flattened_by_an_outlier():
    batch = minibatch()
    batch.advantages[0, 1] = 1e6
    losses = torch.ones(4, 10) * batch.generated
    others = batch.generated.clone()
    others[0, 1] = False
    assert steer(losses, batch)[others].std() < 1e-3
    bounded = steer(losses, batch, quantile=0.9)
    assert bounded[others].std() > 0.05
    assert bounded[batch.generated].min() == pytest.approx(0.8)
    with pytest.raises(InvalidArgumentError, match="'square'"):
        steer(losses, batch, mode="square")


@SEEDS
def test_tea(seed):
    batch = minibatch(seed)
    losses, base = opened(batch)
    seen = tokens(batch)
    scores = {s: math.exp(c / 2.0) for s, c in cov(seen).items()}
    total, n = sum(scores.values()), len(seen)
    weights = {s: min(e / total, 1.5 / n) for s, e in scores.items()}
    assert max(weights.values()) == 1.5 / n
    extra = {s: -0.3 * n * weights[s] * x.entropy for s, x in seen.items()}
    found = tea(losses, batch, coefficient=0.3, tau=2.0, cap=1.5)
    check(found, plus(base, extra), batch)
    bonus = token_mean(found, batch.generated) - token_mean(losses, batch.generated)
    weighed = sum(weights[s] * x.entropy.item() for s, x in seen.items())
    assert bonus.item() == pytest.approx(-0.3 * weighed, abs=1e-5)
