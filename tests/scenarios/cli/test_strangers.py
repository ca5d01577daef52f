"""Settings that nobody reads: a misspelt one is told where it was given, by every process that goes on with it."""

import os
import subprocess
import sys

import pytest

from scenarios.cli.conftest import SRC

MISSPELT = {"ORCHESTRATOR_CHANNEL_EMIAL": "console:", "ORCHESTRATOR_RESLOVE": "off"}
TOLD = "channel_emial is no setting; channel_email is. reslove is no setting; resolve is"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "prod.toml"
    path.write_text('channel_email = "console:"\nchannel_email_secret = "x"\nhook_twilio_secret = "x"\n')
    return path


def test_what_a_file_says_of_channels_is_known_as_in_the_environment(orchestrator, shop, config):
    ended = orchestrator("doctor", shop, "--no-dns", "--config", config)
    assert (ended.code, ended.err) == (0, "")
    config.write_text('channel_emial = "console:"\n')
    ended = orchestrator("doctor", shop, "--no-dns", "--config", config)
    assert (ended.code, ended.err) == (1, "warning: channel_emial is no setting; channel_email is\n")


@pytest.mark.parametrize("command", [["worker"], ["deliver"], ["serve", "--kafka", "--http", "127.0.0.1:0"]])
def test_processes_on_kafka_tell_it_in_one_line_at_their_start(orchestrator_process, shop, config, command):
    nowhere = {"ORCHESTRATOR_KAFKA_SECURITY_PROTOCOL": "SSL", "ORCHESTRATOR_KAFKA_SSL_CAFILE": "nowhere.pem"}
    ended = orchestrator_process(*command, shop, "--config", config, **MISSPELT, **nowhere)
    assert ended.code == 2
    assert [line for line in ended.err.splitlines() if "no setting" in line] == [
        line for line in ended.err.splitlines() if f'"{TOLD}"' in line and '"level": "warning"' in line
    ]
    assert ended.err.count(TOLD) == 1


def test_serve_tells_it_before_it_says_that_it_serves(shop, tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    words = ["serve", str(shop), "--http", "127.0.0.1:0", "--state", str(tmp_path / "state.db")]
    serving = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words],
        env={**own, "PYTHONPATH": str(SRC), **MISSPELT},
        stderr=subprocess.PIPE,
        text=True,
    )
    with serving:
        said = []
        for line in serving.stderr:
            said.append(line)
            if "serving on" in line:
                break
        serving.terminate()
    assert [TOLD in line for line in said if "no setting" in line] == [True]
