"""How a request says for whom a reading of the store gives way: {"port", "above"}, or null for nobody."""

from maintainer.node.envelope import BadRequest, mapping, number
from maintainer.node.giving_way import GivingWay

_MOST = 10**17


def check(pause):
    """See that it is one: nothing is read while more than `above` bytes a second move over that port.

    Raises:
        BadRequest: it is none.
    """
    if pause is None:
        return
    mapping(pause, "pause", ("port", "above"))
    if type(number(pause["port"], "pause.port", 1, 65535)) is not int:
        raise BadRequest("pause.port is a whole number")
    number(pause["above"], "pause.above", 0, _MOST)


def way_of(pause):
    return GivingWay(pause["port"], pause["above"]) if pause else GivingWay(None, 0)
