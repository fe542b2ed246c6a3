"""Terms as they are written in configurations."""

import pytest

from spelunk.agents.llm.training.terms.specification import needs, read_term
from spelunk.envs.kernel.errors import InvalidArgumentError


def scaled(value, *, factor: float, shift: float = 0.0):
    return factor * value + shift


@needs("hidden")
def counting(value, *, memory, step: int = 1):
    memory["n"] = memory.get("n", 0) + step
    return value + memory["n"]


REGISTRY = {"scaled": scaled, "counting": counting}


def read(text):
    return read_term(text, REGISTRY, "thing")


def test_a_name_and_settings():
    assert read("scaled(factor=2.0)")(3.0) == 6.0
    assert read("scaled( factor = -2, shift=1)")(3.0) == -5.0
    term = read("counting")
    assert (term.name, term.settings, term.memory) == ("counting", {}, {})


def test_memory_is_each_terms_own():
    one, other = read("counting(step=2)"), read("counting()")
    assert [one(0), one(0), other(0)] == [2, 4, 1]
    assert (one.memory, other.memory) == ({"n": 4}, {"n": 1})


def test_needs():
    assert read("counting").needs == {"hidden"}
    assert read("scaled(factor=1)").needs == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other", r"one of \['scaled', 'counting'\]; got 'other'"),
        ("scaled", "needs the setting 'factor'"),
        ("scaled(factor=1, speed=2)", r"has the settings \['factor', 'shift'\]; got 'speed'"),
        ("counting(memory={})", r"has the settings \['step'\]; got 'memory'"),
        ("scaled(2)", "written as name"),
        ("scaled(factor=open('x'))", "written as name"),
        ("scaled(**{})", "written as name"),
        ("terms.scaled(factor=1)", "written as name"),
        ("", "written as name"),
        ("scaled(factor=1", "written as name"),
        ("scaled(factor=" + "(" * 5000, "written as name"),
        ("scaled\x00", "written as name"),
    ],
)
def test_what_is_no_term(text, message):
    with pytest.raises(InvalidArgumentError, match=message):
        read(text)
