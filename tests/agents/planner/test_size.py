"""The size of the embedded planner: the code and the data that read a message."""

from pathlib import Path

from agents.planner import language

MOST_LINES, LONGEST_LINE = 2_998, 120
READ = (".py", ".toml", ".txt", ".json")


def test_what_reads_messages_stays_within_its_lines() -> None:
    """Blank lines, comments and words count; only the sentences that describe results lie elsewhere."""
    files = [path for path in Path(str(language.__file__)).parent.rglob("*") if path.suffix in READ]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert max(map(len, lines)) <= LONGEST_LINE
    assert len(lines) <= MOST_LINES, len(lines)
