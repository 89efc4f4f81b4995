"""Memory of a simulation does not depend on the number of paths."""

import pytest

from tests.quant.simulation_memory import peak_megabytes


@pytest.mark.soak
def test_five_times_the_paths_need_hardly_more_memory() -> None:
    peak_megabytes(64, 21, 1)  # compiles, if need be
    few, many = peak_megabytes(4_000, 126, 10), peak_megabytes(20_000, 126, 10)
    assert many < 800.0
    assert many - few < 10.0
