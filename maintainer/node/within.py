"""Whether what a controller asks for lies within what a prepared node allows.

A request brings its own policy, from the inventory as it is now; the node's file may be of an earlier day. A request
may ask for less than the file allows, never for anything else.
"""

from maintainer.node.policy import Commands


def keep_within(own, asked):
    """Take out of the asked policy what the node's own does not allow, and note why."""
    asked.outside.update(_outside("service", own.services, asked.services, _service))
    asked.outside.update(_outside("root", own.roots, asked.roots, _root))
    asked.services = {key: asked.services[key] for key in asked.services if "service " + key not in asked.outside}
    asked.roots = {key: asked.roots[key] for key in asked.roots if "root " + key not in asked.outside}
    for pattern in set(asked.watch) - set(own.watch):
        asked.outside["watch " + pattern] = "this node's policy does not watch {}".format(pattern)
    asked.watch = tuple(pattern for pattern in asked.watch if pattern in own.watch)
    if asked.store and (own.store is None or own.store.path != asked.store.path):
        asked.outside["store"] = "this node's policy has no store {}".format(asked.store.path)
        asked.store = None
    for path in set(asked.mounts) - set(own.mounts):
        asked.outside["mount " + path] = "this node's policy has no mount point {}".format(path)
    asked.mounts = tuple(path for path in asked.mounts if path in own.mounts)
    if asked.may_reboot and not own.may_reboot:
        asked.outside["reboot"] = "this node's policy does not allow a reboot"
        asked.may_reboot = False


def _outside(kind, own, asked, differs):
    found = {}
    for key in asked:
        if key not in own:
            found["{} {}".format(kind, key)] = "this node's policy has no {} {}".format(kind, key)
        elif differs(own[key], asked[key]):
            what = "{} of {} {} is not as this node's policy allows"
            found["{} {}".format(kind, key)] = what.format(differs(own[key], asked[key]), kind, key)
    return found


def _service(own, asked):
    """Name what differs, or nothing."""
    if type(own) is not type(asked):
        return "the kind"
    same = ("start", "stop", "status", "pid_file") if isinstance(own, Commands) else ("unit",)
    for what in same:
        if getattr(own, what) != getattr(asked, what):
            return what
    return "" if asked.timeout_seconds <= own.timeout_seconds else "timeout"


def _root(own, asked):
    if asked.path != own.path:
        return "path"
    if not set(asked.patterns) <= set(own.patterns):
        return "patterns"
    if asked.age_by != own.age_by:
        return "age_by"
    if asked.older_than_seconds < own.older_than_seconds:
        return "older_than"
    return "" if asked.keep_quarantined_seconds >= own.keep_quarantined_seconds else "keep_quarantined"
