"""What operators set for the Kafka runtime: brokers and their security, topics, timings, state.

Owns the names (ORCHESTRATOR_..., CONTRACTS.md), their defaults and their checks, and what they mean to a Kafka client.
Where a value comes from is the command line's business. Must never connect anywhere, nor show a secret.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestrator.errors import OrchestratorError
from orchestrator.model import codec, instants
from orchestrator.model.commas import listed
from orchestrator.runtime import listening, logs

PREFIX = "ORCHESTRATOR_"
HTTP = "127.0.0.1:9100"
HEARTBEATS_PER_SESSION = 4
SHORTEST_KEY = 16
SHORTEST_RETENTION_MS = 3600 * 1000
# Behind resolve clocks are told with commits, and one that is not told for 10 s is an alarm.
LONGEST_BEHIND_RESOLVE_MS = 5_000

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class SettingError(OrchestratorError):
    """A setting that cannot be used. The operator's move."""


class KafkaSettings(BaseModel):
    """Everything that is set for the Kafka runtime; each field is the variable's name after the prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    app_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: Protocol = "PLAINTEXT"
    kafka_sasl_mechanism: Mechanism = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_ssl_password: SecretStr | None = None
    kafka_ssl_check_hostname: bool = True

    events_topics: str = "events"
    topic_prefix: str = ""
    partitions: Annotated[int, Field(ge=1)] = 12
    replication_factor: Annotated[int, Field(ge=1)] | None = None
    retention_ms: Annotated[int, Field(ge=SHORTEST_RETENTION_MS)] = 7 * 24 * 3600 * 1000

    start: str = "latest"
    resolve: bool = True
    commit_interval_ms: Annotated[int, Field(ge=1)] = 100
    # Not in the contract: how many facts, timers included, one transaction carries at most.
    transaction_facts: Annotated[int, Field(ge=1, le=50_000)] = 5_000
    session_timeout_ms: Annotated[int, Field(ge=1000)] = 8000
    instance_id: str | None = None
    state: str = "memory"
    # What state records are written as: the release before reads it while a fleet is upgraded. Default: the newest.
    state_format: int | None = None
    # What addresses with an objection are hashed under, once their customer is erased; older ones behind a comma.
    objection_key: SecretStr | None = None
    http: str = HTTP
    log_level: logs.Level = "info"
    log_format: logs.Format | None = None

    @field_validator("events_topics")
    @classmethod
    def _some_topic_is_read(cls, value: str) -> str:
        if not listed(value):
            raise ValueError("name the topics that events come from, with commas between")
        return value

    @field_validator("http")
    @classmethod
    def _http_is_an_address(cls, value: str) -> str:
        try:
            listening.read(value, HTTP)
        except OrchestratorError:
            raise ValueError(f"write HOST:PORT, such as {HTTP}") from None
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _log_level_is_one(cls, value: object) -> str:
        return logs.level_of(str(value))

    @field_validator("log_format", mode="before")
    @classmethod
    def _log_format_is_one(cls, value: object) -> str | None:
        return None if value is None else logs.format_of(str(value))

    @field_validator("commit_interval_ms")
    @classmethod
    def _clocks_are_told_in_time(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("resolve") and value > LONGEST_BEHIND_RESOLVE_MS:
            raise ValueError(f"with resolve on, no timer fires between commits: {LONGEST_BEHIND_RESOLVE_MS} at most")
        return value

    @field_validator("start")
    @classmethod
    def _start_is_a_place(cls, value: str) -> str:
        if value not in ("latest", "earliest") and instants.parse(value) is None:
            raise ValueError("write latest, earliest or a time such as 2026-01-31T09:00:00Z")
        return value

    @field_validator("state_format")
    @classmethod
    def _state_format_is_written(cls, value: int | None) -> int | None:
        oldest, newest = codec.oldest_written(), codec.FORMAT
        if value is not None and not oldest <= value <= newest:
            raise ValueError(f"this release writes the formats {oldest} to {newest}")
        return value

    @field_validator("objection_key")
    @classmethod
    def _objection_key_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        # Phone numbers can be tried one by one: a key that can be guessed would name them all.
        if value is not None and (not (keys := listed(value.get_secret_value())) or min(map(len, keys)) < SHORTEST_KEY):
            raise ValueError(f"write {SHORTEST_KEY} characters or more that nobody can guess, as openssl rand -hex 32")
        return value

    @field_validator("state")
    @classmethod
    def _state_is_a_store(cls, value: str) -> str:
        if (value != "memory" and not value.removeprefix("rocksdb:").strip("/ ")) or value.partition(":")[0] not in (
            "memory",
            "rocksdb",
        ):
            raise ValueError("write memory or rocksdb:FOLDER")
        return value

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError("SASL needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        return self

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make settings of what was said about them; what is left out has its default.

        Raises SettingError that names every variable that is wrong.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise SettingError("; ".join(map(_complaint, error.errors()))) from None

    @property
    def input_topics(self) -> tuple[str, ...]:
        """Return the topics that events come from, in the order given."""
        return tuple(dict.fromkeys(listed(self.events_topics)))

    @property
    def objection_keys(self) -> tuple[str, ...]:
        """Return the keys that noes of erased customers are remembered under, the one in use first."""
        return () if self.objection_key is None else listed(self.objection_key.get_secret_value())

    @property
    def heartbeat_interval_ms(self) -> int:
        """Return how often a member shows that it lives: 2 s for a session of 8 s."""
        return self.session_timeout_ms // HEARTBEATS_PER_SESSION

    def connection(self) -> dict[str, Any]:
        """Return what every aiokafka client needs to connect: brokers and security; none of them creates topics."""
        from orchestrator.runtime.kafka.describing import create_nothing

        create_nothing()
        options: dict[str, Any] = {
            "bootstrap_servers": list(listed(self.kafka_bootstrap_servers)),
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_security_protocol.startswith("SASL") and self.kafka_sasl_password is not None:
            options["sasl_mechanism"] = self.kafka_sasl_mechanism
            options["sasl_plain_username"] = self.kafka_sasl_username
            options["sasl_plain_password"] = self.kafka_sasl_password.get_secret_value()
        if self.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        return options

    def _ssl_context(self) -> object:
        from aiokafka.helpers import create_ssl_context

        secret = self.kafka_ssl_password
        try:
            context = create_ssl_context(
                cafile=_text(self.kafka_ssl_cafile),
                certfile=_text(self.kafka_ssl_certfile),
                keyfile=_text(self.kafka_ssl_keyfile),
                password=None if secret is None else secret.get_secret_value(),
            )
        except OSError as error:  # ssl.SSLError is one
            raise SettingError(f"{PREFIX}KAFKA_SSL_...: the certificates cannot be read: {error}") from error
        context.check_hostname = self.kafka_ssl_check_hostname
        return context


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _complaint(error: Any) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else f"{PREFIX}KAFKA_..."
    given = f", not {error['input']!r}" if error["loc"] and isinstance(error["input"], str | int) else ""
    message = error["msg"].removeprefix("Value error, ")
    return f"{name}: {message}{'' if error['loc'] and is_secret(str(error['loc'][0])) else given}"


def is_secret(name: str) -> bool:
    """Tell whether the value of a setting must never be shown."""
    field = KafkaSettings.model_fields.get(name)
    return field is not None and "SecretStr" in str(field.annotation)
