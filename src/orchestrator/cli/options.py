"""What several commands take by the same word, with the one text that help says about it.

Owns arguments and options that mean the same wherever they stand. Must never hold what one command takes.
"""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with settings.")]
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id, or an identifier as kind:value.")]
ProjectFolder = Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder.")]
