"""What people see of a search, and the notes that workers leave for it."""

import io

import pytest
from rich.console import Console

from gatewright.explore.outcome import Outcome, Trial
from gatewright.explore.progress import Note, Watch, notes_folder
from gatewright.explore.space import Search

SEARCH = Search.model_validate({"base": "w8", "space": {"bits.a": [2, 3]}, "trials": 10})


def done(number, accuracy, lut):
    figures = {"accuracy_validation": accuracy, "lut": lut}
    return Trial(number, {"bits.a": 2}, Outcome(state="done", figures=figures))


def test_a_terminal_shows_trials_time_and_front(tmp_path):
    watch = Watch(SEARCH, "digits_mlp", tmp_path)
    watch.note("trial0")
    Note(watch.note("trial1")).count("quantize", 5, 40)
    Note(watch.note("trial2")).say("synthesis for xcup")
    watch.note("trial3")  # waits for a worker
    watch._live = object()  # as on a terminal
    watch.ended([done(0, 0.9375, 1234.0)])
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(watch)
    text = console.export_text()
    assert "1/10 trials" in text
    assert "left" in text
    assert "quantize 5/40" in text
    assert "synthesis for xcup" in text
    assert "trial3" not in text
    assert "0.9375" in text
    assert "1,234" in text


def test_lines_where_there_is_no_terminal(tmp_path, capsys):
    told = []
    with Watch(SEARCH, "digits_mlp", tmp_path) as watch:
        for trial in (
            done(0, 0.5, 100.0),
            Trial(1, {}, Outcome(state="stopped", reason="dominated")),
            Trial(2, {}, Outcome(state="failed", error="layer 'a': no")),
        ):
            watch.note(trial.name)
            told.append(trial)
            watch.ended(told)
        told.append(done(3, 0.6, 200.0))
        watch.ended(told)
    lines = capsys.readouterr().err.splitlines()
    assert "trial 0: accuracy_validation 0.5, lut 100" in lines[0]
    assert "[2/10]" in lines[1]
    assert "stopped early: dominated" in lines[1]
    assert "failed: layer 'a': no" in lines[2]
    assert "from the store" in lines[3]


def test_notes_vanish_with_the_search_and_when_it_was_killed(tmp_path):
    killed = tmp_path / "progress" / "killed"
    (killed / "notes").mkdir(parents=True)
    with notes_folder(tmp_path) as folder:
        note = Note(folder / "1.json")
        note.say("conversion")
        assert (folder / "1.json").is_file()
        note.remove()
        assert not (folder / "1.json").exists()
        assert not killed.exists()
        with notes_folder(tmp_path) as another:
            assert another != folder
            assert folder.exists()
    assert list((tmp_path / "progress").iterdir()) == []


@pytest.mark.parametrize("path", [None, "nowhere/at/all.json"])
def test_notes_that_cannot_be_written_are_left_out(tmp_path, path):
    note = Note(None if path is None else tmp_path / path)
    note.say("conversion")
    note.count("train", 1, 2)
    note.remove()
