"""A replay depends on nothing of the machine; tests/soak tries each environment alone and many replays at once."""

from tests.api.recording.replays import SAME, all_but, replay_in


def test_a_replay_is_the_same_in_all_odd_environments_at_once(tmp_path) -> None:
    report = replay_in(tmp_path, "expired", all_but("no_home"), read_only=True)
    assert all(line in report for line in SAME), report
