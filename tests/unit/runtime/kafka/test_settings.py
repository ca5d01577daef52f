"""What operators set: names, defaults, secrets in files, and complaints that name the variable."""

import pytest

from orchestrator.runtime.kafka.settings import KafkaSettings, SettingError


def read(**variables: str) -> KafkaSettings:
    return KafkaSettings.of({"app_id": "shop", **{name.lower(): value for name, value in variables.items()}})


def test_the_defaults_are_those_of_the_contract():
    settings = read()
    assert (settings.app_id, settings.kafka_bootstrap_servers) == ("shop", "127.0.0.1:9092")
    assert settings.input_topics == ("events",)
    assert (settings.partitions, settings.start, settings.resolve) == (12, "latest", True)
    assert (settings.commit_interval_ms, settings.session_timeout_ms, settings.state) == (100, 8000, "memory")
    assert settings.heartbeat_interval_ms == 2000
    assert settings.connection() == {"bootstrap_servers": ["127.0.0.1:9092"], "security_protocol": "PLAINTEXT"}


def test_several_topics_and_brokers_are_named_with_commas():
    settings = read(EVENTS_TOPICS="web, tills,web", KAFKA_BOOTSTRAP_SERVERS="a:1, b:2", RESOLVE="off")
    assert settings.input_topics == ("web", "tills")
    assert settings.connection()["bootstrap_servers"] == ["a:1", "b:2"]
    assert settings.resolve is False


def test_scram_over_tls_is_what_the_client_is_given():
    settings = read(
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        KAFKA_SASL_USERNAME="ana",
        KAFKA_SASL_PASSWORD="s3cret",
        KAFKA_SSL_CHECK_HOSTNAME="false",
    )
    options = settings.connection()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ana", "s3cret")
    assert options["ssl_context"].check_hostname is False
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PARTITIONS": "0"}, "ORCHESTRATOR_PARTITIONS"),
        ({"START": "soon"}, "ORCHESTRATOR_START"),
        ({"STATE": "postgres"}, "ORCHESTRATOR_STATE"),
        ({"STATE": "rocksdb:"}, "ORCHESTRATOR_STATE"),
        ({"HTTP": "9100"}, "ORCHESTRATOR_HTTP"),
        ({"HTTP": "127.0.0.1:70000"}, "ORCHESTRATOR_HTTP"),
        ({"LOG_LEVEL": "loud"}, "ORCHESTRATOR_LOG_LEVEL"),
        ({"LOG_FORMAT": "xml"}, "ORCHESTRATOR_LOG_FORMAT"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "KAFKA_SASL_USERNAME"),
        ({"STATE_FORMAT": "99"}, "ORCHESTRATOR_STATE_FORMAT"),
        ({"APP_ID": "no blanks"}, "ORCHESTRATOR_APP_ID"),
        ({"EVENTS_TOPICS": " , "}, "ORCHESTRATOR_EVENTS_TOPICS"),
        ({"RETENTION_MS": "-1"}, "ORCHESTRATOR_RETENTION_MS"),
        ({"COMMIT_INTERVAL_MS": "600000"}, "ORCHESTRATOR_COMMIT_INTERVAL_MS"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(variables, named):
    with pytest.raises(SettingError) as refused:
        read(**variables)
    assert named in str(refused.value)


def test_without_resolve_no_clock_waits_for_commits():
    assert read(COMMIT_INTERVAL_MS="600000", RESOLVE="off").commit_interval_ms == 600_000


def test_certificates_that_cannot_be_read_are_an_operators_error(tmp_path):
    settings = read(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CAFILE=str(tmp_path / "none.pem"))
    with pytest.raises(SettingError, match="certificates"):
        settings.connection()
