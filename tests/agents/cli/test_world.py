import json

import pytest

from spelunk.agents.cli.main import main
from spelunk.envs.textweb.patterns import PATTERNS
from spelunk.envs.textweb.question_picture import HEIGHT, WIDTH, draw_question
from spelunk.envs.textweb.world import KnowledgeWorld


def last_line(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_world_is_built(capsys):
    main(["world", "build", "--env.documents", "800", "--env.world-seed", "3", "--json"])
    found = last_line(capsys)
    assert (found["documents"], found["entities"], found["gossip_pages"]) == (800, 600, 200)
    assert 0.8 < found["answerable"]["chain"] <= 1
    assert found["answerable"].keys() == PATTERNS.keys()


def test_a_question_is_shown_with_its_evidence(capsys, tmp_path):
    picture = tmp_path / "question.png"
    words = ["world", "inspect", "--pattern", "ring", "--number", "2", "--env.documents", "4000"]
    main([*words, "--picture", str(picture), "--json"])
    shown = capsys.readouterr().out
    found = json.loads(shown.strip().splitlines()[-1])
    world = KnowledgeWorld(0, 4000)
    question = world.questions("ring", 2000)[2]
    assert (found["question"], found["treewidth"], found["hops"]) == (question.words, 2, 3)
    assert found["answer"] == world.graph.name(question.answers[0])
    for step in world.plan(question):
        assert step.query in shown
        assert world.corpus.title(step.page) in shown
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_question_can_be_drawn(pattern):
    world = KnowledgeWorld(0, 4000)
    picture = draw_question(world, world.questions(pattern, 5)[0])
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.std() > 5


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["inspect", "--number", "99999"], "number must be from 0 to"),
        (["inspect", "--pattern", "riddle"], "questions must be a sequence of patterns"),
        (["build", "--env.documents", "3"], "documents must be an integer ≥ 40"),
    ],
)
def test_mistakes(capsys, words, complaint):
    with pytest.raises(SystemExit):
        main(["world", *words])
    assert complaint in capsys.readouterr().err
