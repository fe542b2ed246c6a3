from hypothesis import given
from hypothesis import strategies as st

from spelunk.envs.textweb.names import NAMES, Names
from spelunk.envs.textweb.templates import templates


@given(st.integers(0, 2**40), st.integers(0, NAMES - 1))
def test_names_are_read_back(seed, number):
    names = Names(seed)
    assert names.read(names.write(number)) == number


def test_no_two_numbers_have_the_same_name_and_other_words_are_none():
    names = Names(3)
    assert len({names.write(number) for number in range(50_000)}) == 50_000
    for word in ("", "x", "born", "Bababal", "bababa", "bababalx", "bababa1", "ñababal"):
        assert names.read(word) == -1


def test_no_word_of_a_sentence_is_a_name():
    assert [word for word in templates().words if Names(0).read(word) >= 0] == []
