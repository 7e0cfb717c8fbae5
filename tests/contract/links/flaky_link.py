"""A link that loses answers, and an operation that is followed over it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from maintainer.errors import LinkLost
from maintainer.links.completed import Completed
from maintainer.links.lease import Holder
from maintainer.links.node_link import NodeLink
from maintainer.links.node_program import NodeProgram
from maintainer.links.operation import carry_out
from tests.contract.links.servers import makes
from tests.contract.node.slow_program import Slow

TIME = timedelta(seconds=30)
POLICY: Any = {"services": {}, "roots": {}, "store": None, "not_objects": []}
A, B = Holder("a", "r1", "agent@a"), Holder("b", "r1", "agent@b")
OPENSSH = pytest.mark.parametrize("make", makes()[:1])


class FlakyLink(NodeLink):
    """Loses the answers that it is told to, after the node has done what was asked."""

    losing: Callable[[bytes], bool] = staticmethod(lambda _request: False)

    def program(self) -> NodeProgram:
        program = super().program()
        run = program._run

        def lossy(command: str, stdin: bytes, timeout: timedelta) -> Completed:
            answered = run(command, stdin, timeout)
            if self.losing(stdin):
                self.ssh().close()
                raise LinkLost("the link was lost before the answer", where=self.name)
            return answered

        program._run = lossy
        return program


Links = Callable[[], FlakyLink]


@contextmanager
def meanwhile(do: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread of its own while the body runs; what it raises is raised."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(do)
        yield
    done.result()


def follow(link: NodeLink, work: Slow, timeout: timedelta = TIME, key: str = "step-1") -> dict[str, Any]:
    return carry_out(link, key, "slow", dict(work.request), timeout)
