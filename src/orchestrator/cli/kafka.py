"""What commands on Kafka go by: the operators' settings for a project, and what is said where brokers do not answer.

Owns the default that only the command line knows: an application goes by its project's name. Must never connect
anywhere by itself.
"""

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.cli.settings import Sources
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.language import Loaded
    from orchestrator.model.project import Project
    from orchestrator.runtime.kafka.settings import KafkaSettings

Result = TypeVar("Result")


def project_of(directory: Path) -> "Project":
    """Load the project whose topics are meant by who names no store.

    Raises OrchestratorError, and what loading raises.
    """
    from orchestrator.language import load

    if directory == Path() and not (directory / "orchestrator.yaml").is_file():
        raise OrchestratorError("name the store with --state; on Kafka, the project's folder")
    return load(directory).catalog.project


def settings_for(project: "Project", sources: Sources) -> "KafkaSettings":
    """Give what is in force for a project on Kafka; raises OrchestratorError for what may not be."""
    from orchestrator.runtime.kafka.settings import KafkaSettings

    return KafkaSettings.of({"app_id": project.name, **sources.values(KafkaSettings.model_fields)})


def begin(loaded: "Loaded", sources: Sources) -> "KafkaSettings":
    """Give what is in force for a process that goes on; from here on it logs as that says.

    What was set and nobody reads is said once. Raises OrchestratorError for what may not be.
    """
    from orchestrator.cli import strangers
    from orchestrator.runtime import logs

    settings = settings_for(loaded.catalog.project, sources)
    logs.configure(settings.log_level, settings.log_format)
    strangers.tell(loaded, sources)
    return settings


def ask(settings: "KafkaSettings", work: Coroutine[Any, Any, Result]) -> Result:
    """Do what a command asks of brokers; raises OrchestratorError where they do not answer, or do not do it."""
    import asyncio

    from aiokafka.errors import KafkaConnectionError, KafkaError

    servers = settings.kafka_bootstrap_servers
    try:
        return asyncio.run(work)
    except (KafkaConnectionError, TimeoutError) as error:
        raise OrchestratorError(
            f"no broker of {servers} answers: are they well, and do ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS and "
            f"ORCHESTRATOR_KAFKA_SECURITY_PROTOCOL fit them? {error!r}"
        ) from error
    except KafkaError as error:
        raise OrchestratorError(f"the brokers of {servers} do not do what was asked of them: {error!r}") from error
