"""What `maintainer check` says of a node, from what the node says of itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Node
from maintainer.model.task import NodeQuery, Observation, Probe, SqlQuery
from maintainer.running.checkup import Examination, examine
from maintainer.running.examined import Examined
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import inventory

OURS = "ab" * 32
ROLE = {"role": "m", "superuser": False, "attributes": [], "memberships": ["pg_read_all_stats"]}
ROLE |= {"tables": 1, "tables_owned": 1, "owners": []}


@dataclass
class Telling(FakeNode):
    """A node that says other things of itself."""

    hello: dict[str, Any] | None = None
    silent_about: str = ""

    def observe(self, observation: Observation) -> Any:
        if isinstance(observation, NodeQuery) and observation.program == self.silent_about:
            raise CouldNotLook("it does not say", where="pacs-a")
        answer = super().observe(observation)
        hello = isinstance(observation, NodeQuery) and observation.program == "hello"
        return {**answer, **(self.hello or {})} if hello else answer


def check(**nodes: FakeNode) -> tuple[Examined, ...]:
    return check_nodes(inventory(list(nodes), {}).nodes, **nodes)


def check_nodes(declared: Mapping[str, Node], **nodes: FakeNode) -> tuple[Examined, ...]:
    @contextmanager
    def look(name: str) -> Iterator[FakeNode]:
        yield nodes[name]

    site = inventory(list(nodes), {}).model_copy(update={"nodes": dict(declared)})
    return examine(site, Examination(look, lambda: NOW, OURS))


def told(rows: tuple[Examined, ...], what: str) -> list[tuple[str, str]]:
    return [(row.verdict, row.detail) for row in rows if row.what == what]


def test_a_prepared_node_with_this_versions_program() -> None:
    """It is said, and nothing else is said about it."""
    rows = check(a=Telling(hello={"prepared": True, "program_sha256": OURS, "user": "root"}))
    assert told(rows, "prepared") == [("ok", "its own program and policy, as root")]
    assert [told(rows, what) for what in ("program", "policy", "account")] == [[], [], []]


def test_a_prepared_node_with_another_versions_program() -> None:
    """A program of another version works on and is a warning; one that does not tell its digest, too."""
    for digest in ("cd" * 32, None):
        rows = check(a=Telling(hello={"prepared": True, "program_sha256": digest}))
        assert told(rows, "program") == [("warning", "the node's program is not that of this version")]
    hints = [row.hint for row in rows if row.what == "program"]
    assert hints == ["run what `maintainer node prepare a` prints on the node again"]


def test_what_the_nodes_policy_refuses_is_one_row_each() -> None:
    """An inventory that has outgrown the node's policy is wrong before the night, not in it."""
    rows = check(a=Telling(hello={"prepared": True, "program_sha256": OURS, "outside": ["no root x", "no unit y"]}))
    assert told(rows, "policy") == [("wrong", "no root x"), ("wrong", "no unit y")]


def test_an_unprepared_node_is_one_warning() -> None:
    """Also one whose earlier program knew nothing of preparation."""
    rows = check(a=FakeNode())
    assert told(rows, "account")[0] == ("warning", "not prepared: runs as m whatever this controller sends")
    assert [detail for _, detail in told(rows, "account") if "prepared" in detail] == [told(rows, "account")[0][1]]
    assert told(rows, "prepared") == []


def test_what_was_seen_before_a_silence_is_kept() -> None:
    """A node that stops answering in the middle is unknown from there on, not as a whole."""
    rows = check(a=Telling(silent_about="services"))
    assert told(rows, "clock") == [("ok", "+0 s from this controller's")]
    assert told(rows, "answer") == [("unknown", "pacs-a: it does not say")]


def test_what_does_not_run_or_answer_says_where_to_look() -> None:
    """Each row that is not well has something to do beside it, in the words of the inventory."""
    archive = {"unit": "orthanc.service"}
    described = {"address": "a", "ssh": {"user": "m"}, "services": {"archive": archive}, "dicom": {"ae_title": "A"}}
    rows = check_nodes({"a": Node.model_validate(described)}, a=FakeNode(archive="unknown"))
    hints = {row.what: row.hint for row in rows if row.verdict == "wrong"}
    assert "[nodes.a.services.archive]" in hints["service archive"]
    assert "no systemd" in hints["service archive"]
    assert "[nodes.a.dicom]" in hints["c-echo"]


@pytest.mark.fault(28)
def test_one_machine_under_two_names_is_found_in_spite_of_a_silence() -> None:
    """The machine's id counts although the rest could not be seen."""
    same = {"machine_id_sha256": "ef" * 32}
    rows = check(a=Telling(hello=same), b=Telling(hello=same, silent_about="services"))
    assert told(rows, "machine") == [("wrong", "is the same machine as a")]


def held(hours: int) -> dict[str, Any]:
    return {"controller": "c2", "run": "r9", "who": "agent@b", "since": NOW.isoformat(), "age_seconds": hours * 3600}


def test_a_lease_that_is_old_is_a_warning_and_stays_whose_it_is() -> None:
    """Beyond a day any run should be over; who holds it, for how long, and what a person may do."""
    assert told(check(a=FakeNode()), "lease") == []
    who = "held by agent@b (controller c2, run r9), since 2026-03-01 23:00 UTC"
    assert told(check(a=FakeNode(holder=held(24))), "lease") == [("ok", who)]
    rows = check(a=FakeNode(holder=held(25)))
    assert told(rows, "lease") == [("warning", f"{who}, for 25 hours")]
    assert "`maintainer node release a --why …`" in next(row.hint for row in rows if row.what == "lease")


def test_a_lease_that_cannot_be_read_is_unknown() -> None:
    """And the rest of the node is looked at all the same."""
    rows = check(a=Telling(silent_about="holder"))
    assert told(rows, "lease") == [("unknown", "pacs-a: it does not say")]
    assert told(rows, "service archive") == [("ok", "running")]


def described(**more: Any) -> dict[str, Node]:
    return {"a": Node.model_validate({"address": "a", "ssh": {"user": "m"}, **more})}


def with_packages(packages: Any) -> FakeNode:
    class WithPackages(FakeNode):
        def observe(self, observation: Observation) -> Any:
            if isinstance(observation, NodeQuery) and observation.program == "snapshot":
                return {"packages": packages}
            return super().observe(observation)

    return WithPackages()


ORTHANC = {"services": {"archive": {"unit": "orthanc.service"}}, "dicom": {"ae_title": "A"}}


def test_versions_of_what_runs_there() -> None:
    """Of all packages only those that are the archive or one of the units; nothing of what nobody keeps a list of."""
    packages = {"orthanc": "1.12.11+dfsg-1", "orthanc-data": "1", "bash": "5.2"}
    rows = check_nodes(described(**ORTHANC), a=with_packages(packages))
    assert told(rows, "version") == [("ok", "orthanc 1.12.11+dfsg-1, nothing known against it on 2026-11-24")]
    viewer = {"services": {"viewer": {"unit": "viewer.service"}}}
    assert told(check_nodes(described(**viewer), a=with_packages({"viewer": "3"})), "version") == [("ok", "viewer 3")]
    assert told(check_nodes(described(**viewer), a=FakeNode()), "version") == []
    tree = {"store": {"archive": "tree", "path": "/srv/research"}}
    assert told(check_nodes(described(**tree), a=with_packages({"tree": "2.1.0-1"})), "version") == []


def test_published_weaknesses_are_warnings_with_where_to_look() -> None:
    """Debian's package has one fix of two in spite of its number; which it lacks is said to be worth a look there."""
    rows = check_nodes(described(**ORTHANC), a=with_packages({"orthanc": "1.10.1+dfsg-2+deb12u1"}))
    ((verdict, detail),) = told(rows, "version")
    assert (verdict, "CVE-2026-5437 to CVE-2026-5445" in detail, "CVE-2023-33466" in detail) == ("warning", True, False)
    assert "its makers fixed that in 1.12.11" in detail
    (hint,) = (row.hint for row in rows if row.what == "version")
    assert "zgrep CVE- /usr/share/doc/orthanc/changelog.Debian.gz" in hint


def test_a_version_that_cannot_be_seen_is_said() -> None:
    """Neither a silence about packages nor a package of another name passes for a version that is fine."""
    asked = "which version of orthanc runs there cannot be seen: {}"
    for node, why in (
        (FakeNode(), "there is no such program"),
        (with_packages(None), "the node has no dpkg to ask"),
        (with_packages({"bash": "5.2"}), "no package has its name"),
    ):
        assert told(check_nodes(described(**ORTHANC), a=node), "version") == [("warning", asked.format(why))]


def test_what_is_known_against_the_database_server() -> None:
    """Its own number tells; what it lacks is a warning beside the row that says what it is."""

    class OldServer(FakeNode):
        def observe(self, observation: Observation) -> Any:
            if isinstance(observation, SqlQuery):
                return [{**ROLE, "version": "15.17 (Debian 15.17-0+deb12u1)", "version_number": 150017}]
            return super().observe(observation)

    rows = check_nodes(described(database={"name": "pacs", "user": "m"}), a=OldServer())
    said, lacking = told(rows, "database")
    assert said == ("ok", "PostgreSQL 15.17 (Debian 15.17-0+deb12u1), logged in as m")
    assert (lacking[0], lacking[1].startswith("PostgreSQL 15.17 lacks what 15.19 fixed: CVE-")) == ("warning", True)


def test_a_prepared_node_with_an_older_program_that_knows_no_lease() -> None:
    """That its program is older is said already; what it cannot tell is no failure to look."""
    rows = check(a=Telling(hello={"prepared": True, "program_sha256": "cd" * 32}, silent_about="holder"))
    assert told(rows, "lease") == [("warning", "pacs-a: it does not say")]
    assert "unknown" not in {row.verdict for row in rows}


def test_the_node_is_asked_twice() -> None:
    """Its greeting alone, for it tells the time; everything else that its program is asked for in one request."""
    node = FakeNode()
    check_nodes(described(**ORTHANC, mounts=["/srv/dicom"]), a=node)
    asked = [
        [one.by if isinstance(one, Probe) else getattr(one, "program", "") for one in at_once]
        for at_once in node.requests
    ]
    assert asked == [["holder", "services", "mounts", "snapshot"], ["c-echo"]]


def test_why_a_service_does_not_run_stands_apart_from_its_state() -> None:
    """Two facts, told as two."""

    class Stopped(FakeNode):
        def observe(self, observation: Observation) -> Any:
            if isinstance(observation, NodeQuery) and observation.program == "services":
                return {"archive": {"state": "stopped", "detail": "there is no pid file"}}
            return super().observe(observation)

    assert told(check(a=Stopped()), "service archive") == [("wrong", "stopped: there is no pid file")]
