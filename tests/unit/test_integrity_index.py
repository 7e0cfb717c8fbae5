"""What an archive's index says besides what files can be held against: who is asked, and what is told."""

import re
from typing import Any

import pytest

from maintainer.archives import names, product
from maintainer.model.finding import Severity
from maintainer.model.inventory import Node
from maintainer.model.task import SqlQuery
from tasks.dicom_integrity import DicomIntegrity
from tasks.integrity_facts import IntegrityParams
from tasks.integrity_index import OfIndex, told

CAUSES = [
    (name, cause) for name in names() for cause in re.findall("'([a-z]+(?:-[a-z]+)+)'", product(name).unjudged_sql)
]


def asked(archive: str, **params: Any) -> Any:
    store = {"archive": archive, "path": "/srv/dicom", "storages": {"fs1": "a/b"} if archive == "dcm4chee" else {}}
    node = Node.model_validate({"address": "a", "ssh": {"user": "m"}, "store": store})
    return DicomIntegrity().observe(node, IntegrityParams.model_validate({"window": "night", **params}))


@pytest.mark.parametrize("params", [{}, {"verify_all_within": "30d"}])
def test_an_archive_is_asked_what_cannot_be_judged(params: dict[str, str]) -> None:
    """With a ledger as without one; where a product has nothing of the kind, nothing is asked."""
    assert "unjudged" not in asked("practice", **params)
    query = asked("dcm4chee", **params)["unjudged"]
    assert isinstance(query, SqlQuery)
    assert '{"fs1": "a/b/"}' in query.text
    assert "%(storages)s" not in query.text


@pytest.mark.parametrize(("name", "cause"), CAUSES)
def test_each_word_of_an_index_has_its_advice(name: str, cause: str) -> None:
    """A word that only the query knows would be told as something unknown."""
    (finding,) = told([OfIndex(what=cause, storage="fs1", objects=3)])
    assert "find out what this is" not in finding.advice, name
    assert (finding.cause, finding.subject, finding.evidence) == (cause, "fs1", {"count": 3})


def test_what_is_not_known_alarms() -> None:
    """A later version of a query may say what this version of the task does not know."""
    (finding,) = told([OfIndex(what="something-new", storage="", objects=1)])
    assert (finding.severity, finding.subject) == (Severity.WARNING, "store")


def test_all_archives_have_words() -> None:
    """The pattern above finds them."""
    assert {name for name, _ in CAUSES} == {"dcm4chee", "orthanc"}
