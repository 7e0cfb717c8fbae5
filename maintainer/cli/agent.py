"""`maintainer agent`."""

import os
import time

import click

from maintainer.cli.session import Session
from maintainer.cli.streams import going_on_unheard
from maintainer.errors import Exit, MaintainerError
from maintainer.model.window import Occurrence


@click.command()
@click.pass_obj
def agent(session: Session) -> int:
    """Stay in the foreground and run each window once when it opens. For machines without systemd timers.

    The inventory is read when it starts: restart it after an edit. SIGTERM and Ctrl-C finish what has begun.
    """
    os.environ["TZ"] = "UTC"
    time.tzset()
    with going_on_unheard():
        return _stay(session)


def _stay(session: Session) -> int:
    import structlog  # noqa: PLC0415 (not needed for --help)

    from maintainer.cli.live import reporter  # noqa: PLC0415 (not needed for --help)
    from maintainer.running.agent import Agent  # noqa: PLC0415 (not needed for --help)

    app, log = session.app, structlog.get_logger(__name__)

    def run_window(occurrence: Occurrence) -> None:
        try:
            with reporter(quiet=False, steps=True) as report:
                done = app.run(app.choose(window=occurrence.window, nodes=(), tasks=()), report)
        except MaintainerError as error:
            log.error("the window's run failed", window=occurrence.window, error=str(error))  # noqa: TRY400 (foreseen: one sentence says it)
        except Exception:
            log.exception("internal error; the agent goes on", window=occurrence.window)
        else:
            log.info("the window's run ended", window=occurrence.window, run=done.run, exit=done.exit().value)

    heart = Agent(app.open_windows, run_window)
    with app.stop.on_signals(lambda text: click.echo(text, err=True)):
        heart.beat()
        while not app.stop.asked:
            time.sleep(min(heart.turn(), 1.0))
    return Exit.FINE
