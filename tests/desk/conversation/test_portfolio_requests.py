"""What a stated shock means."""

import pytest

from desk.base.errors import InvalidInput
from desk.conversation.portfolio_requests import parse_stress
from desk.conversation.wishes import Shock


@pytest.mark.parametrize("quote", ["30%", "-30%", "minus 30%", "Minus 30", "30"])
def test_a_fall_may_be_quoted_with_its_sign(quote):
    stress = parse_stress(None, [Shock(factor="XOM", direction="falls", move=quote)])
    assert stress.shocks == {"XOM": pytest.approx(-0.3)}


@pytest.mark.parametrize("quote", ["5%", "+5%", "plus 5%"])
def test_a_rise_may_be_quoted_with_its_sign(quote):
    stress = parse_stress(None, [Shock(factor="CVX", direction="rises", move=quote)])
    assert stress.shocks == {"CVX": pytest.approx(0.05)}


@pytest.mark.parametrize(("direction", "quote"), [("rises", "-5%"), ("falls", "--5%")])
def test_a_sign_against_the_direction_is_refused(direction, quote):
    with pytest.raises(InvalidInput, match="not allowed"):
        parse_stress(None, [Shock(factor="CVX", direction=direction, move=quote)])
