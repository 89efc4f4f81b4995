import pickle

from desk.base.errors import InvalidInput, UserError


def test_the_message_names_field_value_and_what_is_allowed() -> None:
    error = InvalidInput("target_vol", 0, allowed="above 0, at most 1")
    assert str(error) == "target_vol: 0 is not allowed; expected above 0, at most 1"
    assert (error.field, error.value, error.code) == ("target_vol", 0, "invalid_input")
    assert isinstance(error, UserError)


def test_an_error_is_equal_after_pickling() -> None:
    error = InvalidInput("a", "b", allowed="c", reason="b is wrong", code="d")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a: b is wrong; expected c"
    assert vars(again) == vars(error)
