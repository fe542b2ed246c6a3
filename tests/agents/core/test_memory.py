import pytest
import torch

from spelunk.agents.core.memory import memory
from spelunk.envs.kernel import InvalidArgumentError

KINDS = ("gru", "lstm", "transformer")


def make(kind):
    torch.manual_seed(0)
    found = memory(kind, inputs=5, size=16, window=4)
    for parameter in found.parameters():
        if parameter.ndim == 2 and (parameter == 0).all():
            torch.nn.init.normal_(parameter)  # The biases of distance start at 0.
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_of_time_is_the_same_as_step_by_step(kind):
    module, lanes, time = make(kind), 3, 23
    features = torch.randn(time, lanes, 5)
    starts = torch.rand(time, lanes) < 0.15
    state = module.initial(lanes, "cpu")
    single = []
    for t in range(time):
        if t == 9:
            middle = state
        output, state = module(features[t : t + 1], state, starts[t : t + 1])
        single.append(output[0])
    single = torch.stack(single)
    first, after = module(features[:9], module.initial(lanes, "cpu"), starts[:9])
    rest, last = module(features[9:], middle, starts[9:])
    assert torch.allclose(torch.cat([first, rest]), single, atol=1e-5)
    assert torch.allclose(after, middle, atol=1e-5)
    # What is forgotten may differ: only what counts of the state is compared, by what follows.
    onward = torch.randn(5, lanes, 5), torch.zeros(5, lanes, dtype=torch.bool)
    a, b = (module(onward[0], s, onward[1])[0] for s in (last, state))
    assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_knows_nothing_of_the_one_before(kind):
    module = make(kind)
    before, after = torch.randn(2, 6, 1, 5), torch.randn(1, 4, 1, 5)
    starts = torch.zeros(10, 1, dtype=torch.bool)
    starts[6] = True
    outputs = [
        module(torch.cat([past, after[0]]), module.initial(1, "cpu"), starts)[0][6:]
        for past in before
    ]
    assert torch.allclose(*outputs, atol=1e-6)
    starts[6] = False
    outputs = [
        module(torch.cat([past, after[0]]), module.initial(1, "cpu"), starts)[0][6:]
        for past in before
    ]
    assert not torch.allclose(*outputs, atol=1e-3)


def test_a_transformer_sees_its_window_and_no_further():
    """Two layers of a window of 4 see 8 steps back."""
    module = make("transformer")
    features = torch.randn(12, 1, 5)
    starts = torch.zeros(12, 1, dtype=torch.bool)
    far, near = features.clone(), features.clone()
    far[2] += 1
    near[3] += 1
    last = [module(f, module.initial(1, "cpu"), starts)[0][11] for f in (features, far, near)]
    assert torch.allclose(last[0], last[1], atol=1e-6)
    assert not torch.allclose(last[0], last[2], atol=1e-6)


def test_the_future_is_not_seen():
    for kind in KINDS:
        module = make(kind)
        features = torch.randn(6, 2, 5)
        later = features.clone()
        later[4:] += 1
        starts = torch.zeros(6, 2, dtype=torch.bool)
        a, b = (module(f, module.initial(2, "cpu"), starts)[0][:4] for f in (features, later))
        assert torch.equal(a, b)


def test_unknown_kinds():
    assert memory("none", 5, 16, 4) is None
    with pytest.raises(InvalidArgumentError, match="gru"):
        memory("rnn", 5, 16, 4)
