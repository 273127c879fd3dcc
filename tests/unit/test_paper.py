"""What a command prints on a terminal is text and nothing that a terminal obeys."""

from __future__ import annotations

from app.cli.paper import Paper


def test_no_label_moves_the_cursor_of_whoever_asks_why(capsys):
    paper = Paper(0)
    said = "the same host \x1b[2Jdb\x1b]0;owned\x07-1\x9b31m \u202egpj"
    paper.text(said)
    paper.item("+", said)
    paper.timed(0, said)
    out = capsys.readouterr().out
    assert out.count("the same host [2Jdb]0;owned-131m gpj") == 3
    assert all(character.isprintable() or character == "\n" for character in out)
