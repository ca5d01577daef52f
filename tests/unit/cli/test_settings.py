"""Settings: which of several values is in force, and where it is from."""

import pytest

from orchestrator.cli.settings import Setting, SettingsError, Sources


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "orchestrator.toml"
    path.write_text('partitions = 3\nORCHESTRATOR_START = "earliest"\nhttp = "127.0.0.1:1"\n', encoding="utf-8")
    return path


def test_the_strongest_source_wins_and_is_named(config, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n", encoding="utf-8")
    environment = {
        "ORCHESTRATOR_PARTITIONS": "4",
        "ORCHESTRATOR_HTTP": "127.0.0.1:2",
        "ORCHESTRATOR_KAFKA_SASL_PASSWORD_FILE": str(secret),
    }
    sources = Sources({"http": "127.0.0.1:3"}, environment, config)
    assert sources.find("http") == Setting("http", "127.0.0.1:3", "option --http")
    assert sources.find("partitions") == Setting("partitions", "4", "environment ORCHESTRATOR_PARTITIONS")
    assert sources.find("start") == Setting("start", "earliest", str(config))
    assert sources.find("kafka_sasl_password") == Setting(
        "kafka_sasl_password", "hush", f"{secret}, named by ORCHESTRATOR_KAFKA_SASL_PASSWORD_FILE"
    )
    assert sources.find("topic_prefix", "") == Setting("topic_prefix", "", "default")
    assert sources.values(["http", "start", "topic_prefix"]) == {"http": "127.0.0.1:3", "start": "earliest"}


def test_the_environment_may_name_the_config(config):
    assert Sources({}, {"ORCHESTRATOR_CONFIG": str(config)}).find("partitions").value == 3


def test_a_setting_that_nobody_knows_is_told_with_the_one_that_may_be_meant(config):
    environment = {"ORCHESTRATOR_PARTITION": "4", "ORCHESTRATOR_CONFIG": str(config), "PATH": "/bin"}
    names = ["partitions", "start", "http"]
    assert Sources({}, environment).unknown(names) == ["partition is no setting; partitions is"]
    assert Sources({}, {"ORCHESTRATOR_HTTP_FILE": "x"}).unknown(names) == []


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file"):
        Sources({}, {}, tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("a = ", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not TOML"):
        Sources({}, {}, broken)
    with pytest.raises(SettingsError, match="ORCHESTRATOR_HTTP_FILE"):
        Sources({}, {"ORCHESTRATOR_HTTP_FILE": str(tmp_path / "none")}).find("http")


def test_the_config_may_name_a_file_with_a_secret_as_the_environment_does(tmp_path):
    secret, config = tmp_path / "secret", tmp_path / "orchestrator.toml"
    secret.write_text("hush\n", encoding="utf-8")
    config.write_text(f'kafka_sasl_password_file = "{secret}"\n', encoding="utf-8")
    sources = Sources({}, {}, config)
    assert sources.find("kafka_sasl_password") == Setting("kafka_sasl_password", "hush", f"{secret}, named by {config}")
    assert sources.values(["kafka_sasl_password"]) == {"kafka_sasl_password": "hush"}
    assert sources.unknown(["kafka_sasl_password"]) == []
