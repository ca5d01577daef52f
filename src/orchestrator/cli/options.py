"""What several commands take by the same word, with the one text that help says about it.

Owns arguments and options that mean the same wherever they stand. Must never hold what one command takes.
"""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id, or an identifier as kind:value.")]
KafkaProject = Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder, for Kafka.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder.")]
# A store that is not there would be made, and nothing be known of anybody in it.
StoreOrKafka = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", exists=True, help="The store of `run` or `serve`; else on Kafka."),
]
