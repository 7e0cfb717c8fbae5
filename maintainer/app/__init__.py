"""The composition root: the only place where tasks, links, the log and the engine meet."""

from maintainer.app.composition import Maintainer
from maintainer.app.installed import inventory_schema, load, register

__all__ = ["Maintainer", "inventory_schema", "load", "register"]
