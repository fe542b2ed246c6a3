import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spelunk.agents.value.segment_tree import SegmentTree
from spelunk.envs.kernel import InvalidArgumentError

VALUES = st.lists(st.integers(0, 1000), min_size=1, max_size=70).filter(any)


def filled(values):
    tree = SegmentTree(len(values))
    tree.set(np.arange(len(values)), np.array(values, float))
    return tree


@given(VALUES, st.data())
def test_sums_and_prefix_search_agree_with_cumsum(values, data):
    """Whole numbers, so that sums are exact in any order."""
    tree = filled(values)
    sums = np.cumsum(values)
    assert tree.total == sums[-1]
    assert (tree.values == values).all()
    targets = np.array(data.draw(st.lists(st.integers(0, int(sums[-1]) - 1), max_size=20)), float)
    assert (tree.find(targets) == np.searchsorted(sums, targets, side="right")).all()


@given(VALUES, st.lists(st.tuples(st.integers(0, 69), st.floats(0, 1e3)), max_size=30))
def test_changes_one_by_one_give_the_tree_filled_anew(values, changes):
    changes = [(i % len(values), x) for i, x in changes]
    tree, expected = filled(values), np.array(values, float)
    for i, x in changes:
        expected[i] = x
    tree.set(np.array([i for i, _ in changes], np.int64), np.array([x for _, x in changes]))
    assert (tree.values == expected).all()
    assert tree.total == filled(expected).total


def test_zeros_are_never_found_though_rounding_goes_beyond_the_end():
    tree = filled([0.0, 0.1, 0.2, 0.0, 0.3, 0.0, 0.0])
    targets = np.array([0.0, 0.05, 0.1, tree.total * (1 - 1e-16), tree.total, tree.total + 1])
    assert tree.find(targets).tolist() == [1, 1, 2, 4, 4, 4]


def test_each_share_of_the_total_gives_one_index():
    tree = filled([1.0, 2.0, 0.0, 5.0])
    for uniform in (np.zeros(8), np.full(8, 0.5), np.full(8, 0.999)):
        assert tree.sample(uniform).tolist() == [0, 1, 1, 3, 3, 3, 3, 3]


def test_a_tree_of_nothing_is_refused():
    with pytest.raises(InvalidArgumentError, match="at least one"):
        SegmentTree(0)
