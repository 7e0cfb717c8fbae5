"""`maintainer schema`."""

import click

from maintainer.cli.output import emit, json_option


@click.command()
@json_option
def schema(*, as_json: bool) -> None:  # noqa: ARG001 (the answer is JSON with or without it)
    """Print the JSON Schema of the inventory, for editors that complete and check TOML."""
    from maintainer.app import inventory_schema  # noqa: PLC0415 (pydantic and the tasks are not needed for --help)

    emit(inventory_schema())
