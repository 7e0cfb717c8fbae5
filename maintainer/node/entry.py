"""Take one request, let one program answer it, and end.

The verb chooses the file: `observe` only ever reaches `observe_*.py`, `act` only `act_*.py`. That is why an observing
request cannot change anything, whatever it says.
"""

import importlib
import os
import sys

from maintainer.node import envelope, looking, place
from maintainer.node.deadline import Deadline
from maintainer.node.envelope import BadRequest, Failed, Refused, Trouble
from maintainer.node.policy import Policy

PACKAGES = ("maintainer.node", "tasks.node")
TO_LAUNCH = 30.0
"""Seconds that launching may take, however long what is launched may."""


def main(stream):
    """Answer for a program that was sent: by the policy that came along."""
    _end_with(respond(stream))


def main_prepared():
    """Answer for a program that lies on the node: by the node's own policy, and with a word to the node's own log."""
    journal = _ours("journal")
    _end_with(respond(sys.stdin.buffer, _policy_of_the_node, journal.warn))


def main_operation(key):
    """Carry out what was launched as a unit of its own; the node's policy is asked again."""
    supervision = _ours("supervision")
    asked = supervision.asked_of(place.STATE, key)
    program = find(asked["verb"], asked["program"])

    def by_policy(do):
        return lambda deadline: _run(do, asked["request"], _policy_of_the_node(asked), deadline)

    supervision.carry_out(_job(program, place.STATE, asked, by_policy))


def _end_with(raw):
    """Answer on standard output and end the process, whatever threads are still waiting for a disk."""
    with os.fdopen(1, "wb") as out:
        out.write(raw)
    os._exit(0)


def _policy_sent(fields):
    return Policy(fields["policy"])


def _policy_of_the_node(fields):
    return _ours("installation").Installation().admit(fields)


def _ours(name):
    # Loaded where it is needed: the program is compiled anew for each request, and that is most of what one costs.
    return importlib.import_module("maintainer.node." + name)


def respond(stream, policy_for=_policy_sent, note=None):
    """Bytes of the answer, which may be that there is none. `note` is told of what was refused."""
    asked = "a request"
    try:
        fields = envelope.read_request(stream)
        if fields["verb"] == "observe":
            return envelope.write_answers(_noted(looking.look(fields, _observer(policy_for)), note))
        asked = "act {}".format(fields["program"])
        return _act(fields, policy_for)
    except Trouble as trouble:
        _note(note, asked, trouble)
        return envelope.write_trouble(trouble)


def _noted(outcomes, note):
    for program, outcome in outcomes:
        _note(note, "observe {}".format(program), outcome)
    return outcomes


def _note(note, asked, outcome):
    if note and isinstance(outcome, (Refused, BadRequest)):
        note("refused {}: {}".format(asked, outcome.what))


def _observer(policy_for):
    def observe(fields, deadline):
        program = find("observe", fields["program"])
        policy = policy_for(fields)
        if getattr(program, "GENTLE", False):
            _ours("kernel").be_gentle()
        return _run(program.run, fields["request"], policy, deadline)

    return observe


def _act(fields, policy_for):
    deadline = Deadline(
        min(fields["deadline_seconds"], TO_LAUNCH) if "launch" in fields else fields["deadline_seconds"]
    )
    deadline.enforce()
    try:
        program = find("act", fields["program"])
        policy = policy_for(fields)
        _check_lease(fields, program, policy)
        if "launch" in fields:
            getattr(program, "check", _accept)(fields["request"], policy)
            return _launch(fields, program, policy, deadline)
        if getattr(program, "LAUNCHED_ONLY", False):
            raise Refused("{} is only launched, apart from the connection".format(fields["program"]))
        if getattr(program, "GENTLE", False):
            _ours("kernel").be_gentle()
        return envelope.write_answer(_run(program.run, fields["request"], policy, deadline))
    finally:
        deadline.release()


def _check_lease(fields, program, policy):
    """Whoever is not the newest holder of this node's lease changes nothing here."""
    if not getattr(program, "ASKS_FOR_LEASE", False):
        lease, state = map(_ours, ("lease", "state"))
        lease.require(state.folder(policy), lease.claim(fields.get("lease")))


def _launch(fields, program, policy, deadline):
    names = ("kernel", "launching", "operations", "state")
    kernel, launching, operations, state = map(_ours, names)
    gentle = getattr(program, "GENTLE", True)

    def gently(do):
        def work(deadline):
            if gentle:
                kernel.be_gentle()
            return _run(do, fields["request"], policy, deadline)

        return work

    job = _job(program, state.folder(policy), fields, gently)
    answer = launching.launch(fields, job, prepared=policy.prepared, gentle=gentle)
    # Who waits here need not be asked again: no second program starts while a service is down.
    wait = min(fields.get("wait_seconds", 0), deadline.left())
    try:
        return envelope.write_answer(dict(answer, **operations.told(job.path, job.key, wait)))
    except Trouble:
        # It has begun. A sentence in place of an answer would say that it has not.
        return envelope.write_answer(dict(answer, **operations.BEGUN))


def _accept(_request, _policy):
    """What a program does not check before it is launched, it says in its verdict."""


def _job(program, path, fields, doing):
    rescue = getattr(program, "rescue", None)
    job = _ours("supervision").Job
    return job(
        path, fields["launch"], fields["deadline_seconds"], doing(program.run), doing(rescue) if rescue else None
    )


def find(verb, program):
    """Get the module of a program.

    Raises:
        Refused: there is no such program under this verb.
    """
    for package in PACKAGES:
        path = "{}.{}_{}".format(package, verb, program.replace("-", "_"))
        try:
            return importlib.import_module(path)
        except ImportError as error:
            if error.name not in (path, package, package.split(".", 1)[0]):
                raise Failed("the program {} cannot be loaded here".format(program)) from error
        except Trouble:
            raise
        except Exception as error:
            raise Failed("the program {} cannot be loaded here".format(program), "please report this") from error
    raise Refused("there is no program {} to {}".format(program, verb), "both ends must be of one version")


def _run(do, request, policy, deadline):
    # An exception's own text may carry a path of a patient's object: it stays on the node.
    try:
        return do(request, policy, deadline)
    except Trouble:
        raise
    except ValueError as error:
        raise BadRequest(str(error)) from error
    except OSError as error:
        raise Failed("the system said: {}".format(error.strerror or type(error).__name__)) from error
    except Exception as error:
        what = "{} in {}:{}".format(type(error).__name__, *_innermost(error.__traceback__))
        raise Failed("the program on the node broke: " + what, "please report this") from error


def _innermost(trace):
    while trace.tb_next:
        trace = trace.tb_next
    return os.path.basename(trace.tb_frame.f_code.co_filename), trace.tb_lineno
