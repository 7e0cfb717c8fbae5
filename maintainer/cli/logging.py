"""The program's own log: structlog on stderr, as lines for people or as JSON for a collector."""

import logging
import sys

import structlog


def configure(*, verbose: bool, form: str) -> None:
    """Send events to stderr, never to stdout, which belongs to the command's answer. `form`: console or json."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=30)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks if form == "json" else structlog.processors.StackInfoRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if verbose else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # paramiko and pynetdicom explain each packet in tracebacks of their own; what matters reaches us as exceptions.
    for chatty in ("paramiko", "pynetdicom", "pydicom"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
