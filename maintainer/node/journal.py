"""What the node tells its own log, for its own administrators: whom it told no, and why."""

import os
import syslog

from maintainer.node.envelope import plain


def warn(sentence):
    syslog.openlog("maintainer-node", syslog.LOG_PID, syslog.LOG_AUTH)
    syslog.syslog(syslog.LOG_WARNING, plain("{} (asked by {})".format(sentence, _asker())))
    syslog.closelog()


def _asker():
    return os.environ.get("SUDO_USER") or "user {}".format(os.getuid())
