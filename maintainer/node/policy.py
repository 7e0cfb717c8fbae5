"""What may be touched on this node. It comes with the request and is checked again here: the node has the last word."""

from collections import namedtuple
from fnmatch import fnmatchcase

from maintainer.node.envelope import BadRequest, Refused, mapping, name, number, text, texts
from maintainer.node.store import Store

PREPARE_ANEW = "if that is wanted, run what `maintainer node prepare NAME` prints on the node again"
_NEVER_A_ROOT = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_YEAR = 366 * 86400
_UNIT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-")


class Unit(namedtuple("Unit", ["unit", "timeout_seconds"])):
    """A service that systemd keeps."""

    __slots__ = ()


class Commands(namedtuple("Commands", ["start", "stop", "status", "pid_file", "timeout_seconds"])):
    """A service with argument lists of its own; `status` ends with 0 for running and 3 for stopped."""

    __slots__ = ()


class Root(
    namedtuple("Root", ["name", "path", "patterns", "older_than_seconds", "age_by", "keep_quarantined_seconds"])
):
    """A folder that may be cleaned."""

    __slots__ = ()


class Policy:
    """The services, cleanup roots and the store, by the names that a request may use.

    Raises:
        BadRequest: it is not of the form that this version knows.
        Refused: it is, and no node should follow it.
    """

    prepared = False
    """Whether the node has a policy of its own, which this one lies within."""

    def __init__(self, fields):
        mapping(fields, "policy", ("services", "roots", "store", "not_objects"), ("mounts", "may_reboot", "watch"))
        services = mapping(fields["services"], "policy.services", (), optional=None)
        roots = mapping(fields["roots"], "policy.roots", (), optional=None)
        self.services = {name(key, "a service"): _service(key, services[key]) for key in services}
        self.roots = {name(key, "a root"): _root(key, roots[key]) for key in roots}
        self.not_objects = texts(fields["not_objects"], "policy.not_objects")
        self.mounts = tuple(_path(one, "policy.mounts") for one in texts(fields.get("mounts", []), "policy.mounts"))
        self.may_reboot = fields.get("may_reboot", False)
        if not isinstance(self.may_reboot, bool):
            raise BadRequest("policy.may_reboot is neither true nor false")
        self.store = None if fields["store"] is None else Store(_path(fields["store"], "policy.store"), self.is_object)
        _check_disjoint(self.roots, self.store)
        self.watch = _watched(texts(fields.get("watch", []), "policy.watch"), self.store)
        self.outside = {}
        """What was asked for and does not lie within the node's own policy: "service orthanc" → why."""

    def is_object(self, file_name):
        return not any(fnmatchcase(file_name, pattern) for pattern in self.not_objects)

    def service(self, key):
        if key not in self.services:
            self._refuse("service " + key)
            raise Refused("this node has no service of that name", "declare it in [nodes.NAME.services]")
        return self.services[key]

    def root(self, key):
        if key not in self.roots:
            self._refuse("root " + key)
            raise Refused("this node has no cleanup root of that name", "declare it in [nodes.NAME.cleanup]")
        return self.roots[key]

    def _refuse(self, what):
        if what in self.outside:
            raise Refused(self.outside[what], PREPARE_ANEW)


def _service(key, fields):
    where = "policy.services." + key
    if isinstance(fields, dict) and "unit" in fields:
        mapping(fields, where, ("unit", "timeout_seconds"))
        return Unit(_unit(fields["unit"], where), _seconds(fields, "timeout_seconds", where, least=1))
    mapping(fields, where, ("start", "stop", "status", "pid_file", "timeout_seconds"))
    start, stop, status = (_argv(fields[verb], where + "." + verb) for verb in ("start", "stop", "status"))
    pid_file = _path(fields["pid_file"], where + ".pid_file")
    return Commands(start, stop, status, pid_file, _seconds(fields, "timeout_seconds", where, least=1))


def _argv(value, where):
    argv = texts(value, where, least=1)
    if "/" in argv[0] and not argv[0].startswith("/"):
        raise BadRequest(where + ": a command's path is absolute, or a bare name")
    return argv


def _unit(value, where):
    text(value, where, 255)
    if not value.endswith(".service") or value.startswith("-") or not _UNIT_CHARACTERS.issuperset(value):
        raise BadRequest(where + ": not the name of a systemd service")
    return value


def _root(key, fields):
    where = "policy.roots." + key
    mapping(fields, where, ("path", "patterns", "older_than_seconds", "age_by", "keep_quarantined_seconds"))
    if fields["age_by"] not in ("ctime", "mtime"):
        raise BadRequest(where + ".age_by is neither ctime nor mtime")
    patterns = texts(fields["patterns"], where + ".patterns", least=1)
    if any("/" in pattern for pattern in patterns):
        raise BadRequest(where + ": a pattern matches a file's name and has no /")
    older_than = _seconds(fields, "older_than_seconds", where)
    keep = _seconds(fields, "keep_quarantined_seconds", where)
    path = _root_path(_path(fields["path"], where + ".path"))
    return Root(key, path, patterns, older_than, fields["age_by"], keep)


def _root_path(path):
    if path.count("/") == 1 or any(_lies_in(path, outer) for outer in _NEVER_A_ROOT):
        what = "{} is a folder of the system, not one to clean".format(path)
        raise Refused(what, "name the folder that fills up, as deep as it lies")
    return path


def _watched(patterns, store):
    """Files whose digest may be told: absolute paths, with wildcards in the file's name only; never a store's."""
    for pattern in patterns:
        folder = _path(pattern, "policy.watch").rpartition("/")[0]
        if any(character in folder for character in "*?["):
            raise BadRequest("policy.watch: wildcards stand in the file's name only")
        if any(_lies_in(folder, kernel) for kernel in ("/dev", "/proc", "/sys")) or (
            store and _lies_in(folder, store.path)
        ):
            raise Refused("{} is not a place of configuration files".format(pattern), "take it out of `watch`")
    return patterns


def _path(value, where):
    text(value, where)
    if not value.startswith("/") or value == "/" or any(part in ("", ".", "..") for part in value[1:].split("/")):
        raise BadRequest(where + " is not an absolute, normal path")
    return value


def _seconds(fields, key, where, least=0):
    return number(fields[key], "{}.{}".format(where, key), least, 20 * _YEAR)


def _check_disjoint(roots, store):
    protected = [("the store", store.path)] if store else []
    for root in sorted(roots.values()):
        for what, path in protected:
            if _lies_in(root.path, path) or _lies_in(path, root.path):
                raise Refused(
                    "cleanup root {} and {} overlap".format(root.name, what), "set them apart in the inventory"
                )
        protected.append(("cleanup root " + root.name, root.path))


def _lies_in(inner, outer):
    return inner == outer or inner.startswith(outer + "/")
