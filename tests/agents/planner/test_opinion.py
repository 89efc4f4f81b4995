"""The second opinion on a message is learned from labelled texts, and no wish is acted on against it.

That the stored weights are those of all texts is verified by `make check`.
"""

import json
from pathlib import Path

import pytest

from agents.planner.language.abilities import ABILITIES
from agents.planner.language.lexicon import LEXICON
from agents.planner.language.opinion import NONE, OPINION, features
from agents.planner.language.reading import read
from agents.planner.language.understanding import understand
from desk.conversation.focus import Focus
from tests.agents.planner.labelled_texts import load
from tests.agents.planner.training import RESULT, TEXTS, main

FEW = {"questions.txt": 1, "typical_questions.txt": 20, "typical_wishes.txt": 20, "development.jsonl": 5}


@pytest.fixture
def few_texts(tmp_path) -> Path:
    """Every question that is answered at once, every twentieth other one and wish, and some labelled texts."""
    for file, each in FEW.items():
        lines = (TEXTS / file).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / file).write_text("".join(lines[::each]), encoding="utf-8")
    return tmp_path


def test_weights_are_checked_against_the_texts_that_they_were_learned_from(few_texts, tmp_path, capsys):
    path = tmp_path / "opinion.npz"
    assert main([], few_texts, path) == 0
    assert "words" in capsys.readouterr().out
    learned = path.read_bytes()
    assert main(["--check"], few_texts, path) == 0
    assert not capsys.readouterr().out
    changed = few_texts / "questions.txt"
    lines = changed.read_text(encoding="utf-8").splitlines(keepends=True)
    first, other = (line.partition(" | ")[0] for line in (lines[0], lines[-1]))
    changed.write_text("".join([lines[0].replace(first, other), *lines[1:]]), encoding="utf-8")
    assert main(["--check"], few_texts, path) == 1
    assert "make opinion" in capsys.readouterr().out
    assert path.read_bytes() == learned


def test_chances_sum_to_one_and_do_not_depend_on_the_order_of_words():
    for text in ("why did it win?", "it win did why", "", "xyzzy"):
        chances = OPINION.of(features(read(text, RESULT, LEXICON), "optimize", LEXICON))
        assert sum(chances.values()) == pytest.approx(1.0)
    orders = [
        OPINION.of(features(read(text, RESULT, LEXICON), None, LEXICON))
        for text in ("why did it win", "win it did why")
    ]
    assert orders[0] == orders[1]


def test_every_ability_is_learned_or_not_judged():
    known = {*OPINION.meanings}
    assert {ability.topic or ability.tool for ability in ABILITIES} <= known
    assert NONE.of(features(read("why did it win?", RESULT, LEXICON), None, LEXICON)) == {"none": 1.0}


@pytest.mark.parametrize("files", ["heldout_5.jsonl", pytest.param("heldout_[5-7].jsonl", marks=pytest.mark.soak)])
def test_what_the_second_opinion_finds_unlikely_is_not_done(files):
    """It takes away calls, and no reading is acted on that it holds for a tenth as likely as another."""
    kept = taken = 0
    for path in sorted(TEXTS.glob(files)):
        for item in (row for row in load(path) if not row["before"]):
            focus = Focus(run="0aa1f00d", last="optimize")
            alone = understand(item["text"], focus, opinion=NONE).calls
            calls = understand(item["text"], focus).calls
            if len(calls) == 1:
                call = calls[0]
                chances = OPINION.of(features(read(item["text"], focus, LEXICON), "optimize", LEXICON))
                meaning = call.arguments.get("topic", call.tool)
                assert chances.get(meaning, 1.0) >= 0.1 * max(chances.values()), json.dumps(item["text"])
            kept += bool(alone) and bool(calls)
            taken += bool(alone) and not calls
    assert taken > 0
    assert kept > 5 * taken
