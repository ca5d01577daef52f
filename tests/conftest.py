"""What all tests share: how long chaos lasts, and how much hypothesis looks at.

Must never hold a fixture that only one folder uses; that folder's own conftest.py does.
"""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadline: how long one example takes says how busy the machine is, not whether the law holds.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds", type=int, default=1, help="how often a test marked chaos repeats, each with its own seed"
    )
    parser.addoption(
        "--first-round", type=int, default=0, help="which of them is the first, to go on where one stopped"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from what collecting makes: hundreds of megabytes that all stay to the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def first_round(request: pytest.FixtureRequest) -> int:
    number = request.config.getoption("--first-round")
    assert isinstance(number, int)
    return number


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    count = request.config.getoption("--rounds")
    assert isinstance(count, int)
    return count


# Not beside the broker's fixtures: of several test processes, the one that reports reads only this file.
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what did not run for want of a broker: a green run must not look like more than it is."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "broker" in report.keywords]
    if skipped:
        terminalreporter.section("Kafka", red=True, bold=True)
        tests = "test" if len(skipped) == 1 else "tests"
        terminalreporter.line(f"{len(skipped)} {tests} did not run for want of a Kafka broker:", red=True)
        for why in sorted({str(report.longrepr[2]) for report in skipped}):
            terminalreporter.line(f"  {why.removeprefix('Skipped: ')}", red=True)
