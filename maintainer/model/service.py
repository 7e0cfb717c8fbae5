"""What can be started and stopped on a node: a unit of systemd, or commands of a product's own."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from maintainer.model.values import AbsolutePath, Called, Name, TimeLimit, Value


def _is_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    if not all(word.isprintable() for word in words):
        raise ValueError
    return words


Argv = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...],
    Field(min_length=1, max_length=64, strict=False),
    AfterValidator(_is_argv),
    Called("a command", 'it is a list of words that no shell reads, such as ["/opt/pacs/bin/archive", "start"]'),
]
ServiceProbe = Annotated[
    Literal["c-echo", "select-1"],
    Field(description="what tells that it serves: c-echo for an archive, select-1 for a database"),
]


After = Annotated[
    tuple[Name, ...],
    Field(
        max_length=64,
        strict=False,
        description="services of this node that it needs: they start before it and stop after it",
    ),
]


class UnitService(Value):
    """A service that systemd keeps."""

    unit: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9:_.@\-]+\.service$", max_length=255),
        Called("a service unit of systemd", "it is the unit's full name, such as orthanc.service"),
    ] = Field(description="the unit's full name, such as orthanc.service")
    timeout: TimeLimit = Field(dt.timedelta(minutes=5), description="longest time to start or to stop")
    answers: ServiceProbe = "c-echo"
    after: After = ()


class CommandService(Value):
    """A service with commands of its own, as many PACS products ship them.

    `status` ends with 0 when the service runs and 3 when it does not. Source: LSB Core, "Init Script Actions".
    """

    start: Argv = Field(description="command that starts it and comes back")
    stop: Argv = Field(description="command that stops it")
    status: Argv = Field(description="command that ends with 0 when it runs and 3 when it does not")
    pid_file: AbsolutePath = Field(description="file that holds the number of its process")
    timeout: TimeLimit = Field(dt.timedelta(minutes=5), description="longest time to start or to stop")
    answers: ServiceProbe = "c-echo"
    after: After = ()


def _service_kind(given: Any) -> str | None:
    if isinstance(given, Value):
        return "<unit>" if isinstance(given, UnitService) else "<command>"
    if not isinstance(given, dict):
        return None
    kinds = {"<unit>": {"unit"}, "<command>": {"start", "stop", "status", "pid_file"}}
    found = [kind for kind, keys in kinds.items() if given.keys() & keys]
    return found[0] if len(found) == 1 else None


Service = Annotated[
    Annotated[UnitService, Tag("<unit>")] | Annotated[CommandService, Tag("<command>")],
    Discriminator(
        _service_kind,
        custom_error_type="service",
        custom_error_message='a service has either unit = "….service" or start, stop, status and pid_file',
    ),
]
