import pytest

from store.errors import Invalid
from store.records import Key


@pytest.mark.parametrize("owner", ["local", "Ann", "a.b+c@example.com", "0f2e-11", "_", "a" * 100])
def test_an_owner_may_be_a_name_a_mail_address_or_a_uuid(owner: str) -> None:
    assert Key(owner, "run", "1").owner == owner


@pytest.mark.parametrize("owner", ["", " ", ".", "..", "a#b", "a/b", "a\\b", "é", "a\n", "a" * 101])
def test_other_owners_are_refused(owner: str) -> None:
    with pytest.raises(Invalid, match=r"`owner` is .*; allowed are 1 to 100"):
        Key(owner, "run", "1")


@pytest.mark.parametrize("kind", ["", "Run", "1run", "a b", "a#b", "a/b", "run\n", "a" * 51])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(Invalid, match=r"`kind` is .*; allowed are 1 to 50"):
        Key("ann", kind, "1")


@pytest.mark.parametrize("id_", ["1", "a:b", "ä b", "株 🚀", "..", "x" * 512])
def test_an_id_may_be_any_printable_text(id_: str) -> None:
    assert Key("ann", "run", id_).id == id_


@pytest.mark.parametrize("id_", ["", "a#b", "a/b", "a\\b", "\x00", "a\nb", "\ud800", "\u200b"])
def test_an_id_without_characters_or_with_hidden_ones_is_refused(id_: str) -> None:
    with pytest.raises(Invalid, match=r"`id` is .*; allowed are printable"):
        Key("ann", "run", id_)


def test_the_length_of_an_id_is_measured_in_bytes_and_long_ids_are_shortened() -> None:
    with pytest.raises(Invalid, match=r"ä'\.\.\. \(300 characters\), 600 bytes .* allowed are 512"):
        Key("ann", "run", "ä" * 300)
