"""The lab that all tests of a run use one after another, each as if it were the first."""

from collections.abc import Callable

from tests.lab.condition import Condition, condition, difference, mend
from tests.lab.image import LabError, NoLabError
from tests.lab.lab import Lab
from tests.lab.node import LabNode

_SET_UP_AT_MOST = 3  # times; where nothing boots, a hundred tests should not each wait for it


class Standing:
    """A lab that is looked at before it is lent again: what the last test left is undone, and `say` is told."""

    def __init__(self, say: Callable[[str], None], slices: int, size: int) -> None:
        self._say, self._slices, self._size = say, slices, size
        self._last_test = ""
        self._lab: Lab | None = None
        self._loaded: dict[str, Condition] = {}
        self._set_up_times = 0
        self._why_none = ""

    def lend(self, test: str) -> Lab:
        """Give the lab in the condition in which it was loaded.

        Raises:
            NoLabError: there can be none here.
            LabError: it cannot be had, even anew.
        """
        if self._lab is not None:
            try:
                self._lab.on_all(self._put_right)
            except LabError as error:
                self._say(f"the lab is set up anew: {error}")
                self.down()
        self._last_test = test
        return self._lab or self._set_up()

    def down(self) -> None:
        if self._lab is not None:
            self._lab.down()
            self._lab = None

    def _set_up(self) -> Lab:
        if self._why_none:
            raise NoLabError(self._why_none)
        if self._set_up_times == _SET_UP_AT_MOST:
            raise LabError(f"the lab was set up {_SET_UP_AT_MOST} times, and is not any more in this run")
        self._set_up_times += 1
        try:
            lab = Lab.up()
        except NoLabError as error:
            self._why_none = str(error)
            raise
        try:
            lab.load(self._slices, size=self._size)
            lab.on_all(self._remember)
        except BaseException:
            lab.down()
            raise
        self._lab = lab
        return lab

    def _remember(self, node: LabNode) -> None:
        self._loaded[node.name] = condition(node)

    def _put_right(self, node: LabNode) -> None:
        loaded = self._loaded[node.name]
        if left := difference(node, loaded):
            self._say(f"{node.name} is booted again after {self._last_test}: {left}")
            mend(node, left.added)
            if still := difference(node, loaded):
                raise LabError(f"{node.name} is still otherwise: {still}")
