"""What all tests share: how long chaos lasts, and how much hypothesis looks at.

Must never hold a fixture that only one folder uses; that folder's own conftest.py does.
"""

import pytest
from hypothesis import settings

# No deadline: how long one example takes says how busy the machine is, not whether the law holds.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds", type=int, default=1, help="how often a test marked chaos repeats, each with its own seed"
    )


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    count = request.config.getoption("--rounds")
    assert isinstance(count, int)
    return count
