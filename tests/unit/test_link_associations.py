"""An answer reaches the thread that asked, whatever pynetdicom's reactor is doing at that moment."""

from types import SimpleNamespace
from typing import Any

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_ECHO

from maintainer.links.associations import keep_answers


def test_only_who_waits_for_an_answer_takes_it() -> None:
    """The reactor looks without waiting: it finds nothing, and the answer is still there afterwards."""
    association: Any = SimpleNamespace(dimse_timeout=1)
    association.dimse = DIMSEServiceProvider(association)
    keep_answers(association)
    answer = C_ECHO()
    association.dimse.msg_queue.put((1, answer))
    assert association.dimse.get_msg(block=False) == (None, None)
    assert association.dimse.get_msg() == (None, None)
    assert association.dimse.get_msg(block=True) == (1, answer)
