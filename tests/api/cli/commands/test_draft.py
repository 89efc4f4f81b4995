"""Drafts at the command line."""

import json

from api.cli.main import run
from api.cli.request_options import request_from


def test_a_draft_is_saved_listed_shown_and_deleted(home, tmp_path, capsys) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"name": "Half", "trials": 5}))
    assert run(["draft", "list"]) == 0
    assert "No draft yet" in capsys.readouterr().out
    assert run(["draft", "save", "--request", str(file)]) == 0
    saved = capsys.readouterr().out
    assert "trials: 5 is not allowed; expected a whole number, 10 to 5000" in saved
    assert "1 to correct before it can be submitted" in saved
    assert run(["draft", "submit", "last"]) == 2
    assert "expected a whole number, 10 to 5000" in capsys.readouterr().err
    request = request_from({"trials": "10", "paths": "100", "years": "1"}, None)
    file.write_text(request.model_dump_json())
    assert run(["draft", "save", "--request", str(file), "--draft", "last", "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert (form["problems"], form["request"]["trials"]) == ([], 10)
    assert run(["draft", "list", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [form["id"]]
    assert run(["draft", "show", form["id"][:8]]) == 0
    assert f"python -m api draft submit {form['id'][:12]}" in capsys.readouterr().out
    assert run(["draft", "delete", "last"]) == 0
    assert run(["draft", "show", "last"]) == 2


def test_a_file_without_an_object_is_no_draft(home, tmp_path, capsys) -> None:
    for text, reason in (
        ("[1, 2]", "object"),
        ('{"trials": NaN}', "finite numbers"),
        ('{"colour": 1}', "no field"),
        ("{", "not JSON"),
    ):
        (tmp_path / "request.json").write_text(text)
        assert run(["draft", "save", "--request", str(tmp_path / "request.json")]) == 2
        assert reason in capsys.readouterr().err
