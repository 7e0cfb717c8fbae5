"""What the commands of one invocation share: options, the inventory, the composed application."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maintainer.app import Maintainer
    from maintainer.inventory_file.load import LoadedInventory

PLACES = (Path("inventory.toml"), Path("/etc/maintainer/inventory.toml"))


@dataclass
class Session:
    """Everything heavy is made when it is first asked for, so that `--help` and `schema` stay quick."""

    inventory: Path | None = None
    verbose: bool = False
    log_format: str = "console"

    @property
    def inventory_path(self) -> Path:
        return self.inventory or next((place for place in PLACES if place.exists()), PLACES[0])

    @cached_property
    def loaded(self) -> "LoadedInventory":
        from maintainer.app import load  # noqa: PLC0415 (only commands that need an inventory pay for it)

        return load(self.inventory_path)

    @cached_property
    def app(self) -> "Maintainer":
        from maintainer.app import Maintainer  # noqa: PLC0415 (only commands that touch nodes pay for it)
        from maintainer.cli.logging import configure  # noqa: PLC0415 (structlog is not needed for --help)

        configure(verbose=self.verbose, form=self.log_format)
        return Maintainer(self.loaded)
