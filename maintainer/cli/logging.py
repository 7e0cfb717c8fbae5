"""The program's own log: structlog on stderr, as lines for people or as JSON for a collector."""

import logging
import sys
import traceback

import structlog


def configure(*, verbose: bool, form: str) -> None:
    """Send events to stderr, never to stdout, which belongs to the command's answer. `form`: console or json."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=30, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_places,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if verbose else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # paramiko and pynetdicom explain each packet in tracebacks of their own; what matters reaches us as exceptions.
    for chatty in ("paramiko", "pynetdicom", "pydicom"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def places(error: BaseException) -> list[str]:
    """Say of a mistake in the program which class of error it was and where, for whoever mends it.

    Its text and its variables stay out: they may hold rows about patients, or a password.
    """
    kind = f"{type(error).__name__}, whose text is left out here"
    lines = [*traceback.format_tb(error.__traceback__), kind]
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    said = [line.rstrip() for line in lines]
    return said if earlier is None else [*places(earlier), "and then", *said]


def _only_places(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Put places where structlog would put a traceback with all local variables."""
    if event.pop("exc_info", None) and (error := sys.exc_info()[1]):
        event["exception"] = "\n".join(places(error))
    return event
