"""Traces: what a builder writes, how it is stored, and which tokens a loss may count."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional

from spelunk.agents.llm.searching.trace import (
    Ending,
    Rubric,
    Segment,
    Task,
    Trace,
    TraceBuilder,
    read_traces,
    write_traces,
)
from spelunk.envs.kernel import InvalidArgumentError


def two_turns():
    """One search with two queries, then the answer; 3 + 2 + 2 + 1 tokens."""
    builder = TraceBuilder(
        Task(
            "Where is Bo?",
            "chain",
            gold=(("Ax", "Axx"),),
            evidence=2,
            relevant=(7,),
            entities=(("Ax",), ("Cy",)),
            rubrics=(Rubric((0, 1), 5),),
        )
    )
    builder.tell("Where is Bo?", tokens=(1, 2, 3))
    builder.say("bo?", "search", tokens=(4, 5), log_probs=(-0.5, -1.0))
    builder.show(
        "found",
        "search",
        queries=("bo", "is"),
        pages=((7, 8), (8,)),
        texts=(("Bo is in Ax", ""), ("x",)),
        covered=0b10,
        tokens=(6, 7),
    )
    builder.end_turn()
    builder.say("Ax", "answer", tokens=(8,), log_probs=(-0.25,))
    builder.end_turn(well_formed=False)
    return builder.finish("Ax", citations=(7,), cost=0.5, extras={"size": [3, 4]})


def test_a_builder_notes_roles_turns_and_counts():
    trace = two_turns()
    assert [(s.role, s.turn, s.generated) for s in trace.segments] == [
        ("user", -1, False),
        ("assistant", 0, True),
        ("tool", 0, False),
        ("assistant", 1, True),
    ]
    assert (trace.turns, trace.calls, trace.generated_tokens) == (2, 1, 3)
    assert trace.queries == ["bo", "is"]
    assert trace.pages == [7, 8]
    assert [trace.pages_by(turn) for turn in (-1, 0, 1)] == [set(), {7, 8}, {7, 8}]
    assert [trace.covered(turn) for turn in (-1, 0, 1)] == [0, 0b10, 0b10]
    assert trace.ending.well_formed == (True, False)
    assert trace.items == ("Ax",)
    assert trace.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert trace.log_probs.tolist() == [0, 0, 0, -0.5, -1, 0, 0, -0.25]


def test_what_is_told_between_turns_belongs_to_the_turn_before():
    builder = TraceBuilder(Task("?"))
    builder.say("a", "search")
    builder.end_turn()
    builder.tell("hurry", kind="budget")
    builder.say("b", "answer")
    builder.end_turn()
    assert [segment.turn for segment in builder.finish("b").segments] == [0, 0, 1]


def test_lists_and_arrays_are_taken_for_tuples():
    builder = TraceBuilder(Task("?", evidence=1))
    builder.say("a", "search", tokens=np.arange(2), log_probs=[-1.0, np.float64(-2)])
    builder.show("b", "search", queries=["q"], pages=[np.arange(2)], covered=np.int64(1))
    builder.end_turn()
    trace = builder.finish(curated=[1], extras={"points": [[1, 2]]})
    assert trace.segments[1].pages == ((0, 1),)
    assert trace.ending.curated == (1,)
    assert Trace.from_json(trace.to_json()) == trace


def test_the_mask_keeps_what_was_generated():
    trace = two_turns()
    assert trace.loss_mask().astype(int).tolist() == [0, 0, 0, 1, 1, 0, 0, 1]
    assert trace.loss_mask(["search"]).astype(int).tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert Trace(Task("?"), (), Ending()).loss_mask().shape == (0,)


def test_given_tokens_get_no_gradient():
    """As targets: whatever stands there, the loss and every gradient stay bit for bit the same."""
    trace = two_turns()
    mask = torch.from_numpy(trace.loss_mask())

    def gradient(tokens):
        logits = torch.linspace(-1, 1, 80).sin().reshape(8, 10).requires_grad_()
        losses = functional.cross_entropy(logits, torch.from_numpy(tokens), reduction="none")
        loss = (losses * mask).sum() / mask.sum()
        return loss.item(), torch.autograd.grad(loss, logits)[0]

    loss, found = gradient(trace.tokens)
    assert (found[~mask] == 0).all()
    assert (found[mask] != 0).all()
    perturbed = np.where(trace.loss_mask(), trace.tokens, 9 - trace.tokens)
    assert (perturbed != trace.tokens).sum() == 5
    other_loss, other = gradient(perturbed)
    assert other_loss == loss
    assert torch.equal(other, found)
    generated = np.where(trace.loss_mask(), 9 - trace.tokens, trace.tokens)
    assert gradient(generated)[0] != loss


def test_json_and_files_give_the_same_trace(tmp_path):
    trace = two_turns()
    line = trace.to_json()
    assert "\n" not in line
    assert Trace.from_json(line) == trace
    write_traces(tmp_path / "t.jsonl", [trace, trace])
    assert list(read_traces(tmp_path / "t.jsonl")) == [trace, trace]


@pytest.mark.parametrize("line", ["", "[]", "{", '{"task": 3}', "[" * 100_000, "null"])
def test_a_broken_line_is_an_error_that_names_it(tmp_path, line):
    with pytest.raises(InvalidArgumentError):
        Trace.from_json(line)
    path = tmp_path / "t.jsonl"
    path.write_text(two_turns().to_json() + "\n" + line + "\n")
    with pytest.raises(InvalidArgumentError, match="line 2"):
        list(read_traces(path))


def test_unknown_fields_and_infinite_numbers_are_errors():
    record = json.loads(two_turns().to_json())
    record["task"]["colour"] = 1
    with pytest.raises(InvalidArgumentError, match="colour"):
        Trace.from_json(json.dumps(record))
    trace = Trace(Task("?"), (), Ending(extras={"x": float("inf")}))
    with pytest.raises(InvalidArgumentError):
        trace.to_json()


def test_the_digest_ignores_log_probs_only():
    def digest(text, log_prob):
        segment = Segment("assistant", "answer", 0, text, (1,), (log_prob,), True)
        return Trace(Task("?"), (segment,), Ending(text, well_formed=(True,))).digest

    assert digest("a", -1.0) == digest("a", -2.0) != digest("b", -1.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"turn": -2},
        {"turn": -1, "generated": True},
        {"turn": 0, "tokens": (1, 2), "log_probs": (0.0,)},
        {"turn": 0, "queries": ("a", "b"), "pages": ((1,),)},
        {"turn": 0, "pages": ((1,),), "texts": (("a", "b"),)},
        {"turn": 0, "covered": -1},
    ],
)
def test_contradicting_segments_are_refused(fields):
    with pytest.raises(InvalidArgumentError):
        Segment("tool", "result", **fields)


def test_contradicting_traces_are_refused():
    first, second = Segment("user", "x", 0), Segment("user", "x", 1)
    with pytest.raises(InvalidArgumentError, match="backwards"):
        Trace(Task("?"), (second, first), Ending(well_formed=(True, True)))
    with pytest.raises(InvalidArgumentError, match="well_formed"):
        Trace(Task("?"), (first, second), Ending(well_formed=(True,)))
    with pytest.raises(InvalidArgumentError, match="well_formed"):
        Trace(Task("?"), (first,), Ending())
    with pytest.raises(InvalidArgumentError, match="2 bits"):
        Trace(
            Task("?", evidence=2),
            (Segment("tool", "result", 0, covered=0b100),),
            Ending(well_formed=(True,)),
        )
    for cost in (-1, float("inf"), float("nan")):
        with pytest.raises(InvalidArgumentError, match="cost"):
            Ending(cost=cost)
    builder = TraceBuilder(Task("?"))
    builder.say("a", "answer")
    with pytest.raises(InvalidArgumentError, match="end_turn"):
        builder.finish("a")


def test_a_missing_extra_is_named():
    assert two_turns().extra("size") == [3, 4]
    with pytest.raises(InvalidArgumentError, match="sql"):
        two_turns().extra("sql")
