"""C-FIND keys become conditions on the index."""

import pytest
from pydicom.dataset import Dataset

from maintainer.practice.attributes import conditions, kept_at, read


def _conditions(level: str, **keys: str) -> tuple[str, list[object]]:
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    where, values = conditions(identifier, level)
    return where.as_string(), values


@pytest.mark.parametrize(
    ("keys", "where", "values"),
    [
        ({}, "TRUE", []),
        ({"PatientID": ""}, "TRUE", []),
        ({"PatientID": "*"}, "TRUE", []),
        ({"PatientID": "A1"}, 'TRUE AND lower("patients"."patient_id") = lower(%s)', ["A1"]),
        ({"PatientName": "Do?^J*"}, 'TRUE AND "patients"."patient_name" ILIKE %s', ["Do_^J%"]),
        ({"PatientName": "100%_*"}, 'TRUE AND "patients"."patient_name" ILIKE %s', ["100\\%\\_%"]),
        ({"StudyInstanceUID": "1.2\\1.3"}, 'TRUE AND "studies"."study_instance_uid" = ANY(%s)', [["1.2", "1.3"]]),
        ({"StudyDate": "20240101-"}, 'TRUE AND "studies"."study_date" BETWEEN %s AND %s', ["20240101", "99991231"]),
        ({"StudyDate": "-20240101"}, 'TRUE AND "studies"."study_date" BETWEEN %s AND %s', ["", "20240101"]),
        ({"StudyDate": "20240101"}, 'TRUE AND lower("studies"."study_date") = lower(%s)', ["20240101"]),
    ],
)
def test_each_kind_of_matching(keys: dict[str, str], where: str, values: list[object]) -> None:
    """Universal, single value, wildcard, list of UIDs, range; values never stand in the statement."""
    assert _conditions("STUDY", **keys) == (where, values)


def test_keys_below_the_level_do_not_count() -> None:
    """A study has no one modality: that is a key of the series."""
    assert _conditions("STUDY", Modality="CT") == ("TRUE", [])
    assert "Modality" not in kept_at("STUDY")
    assert "Modality" in kept_at("IMAGE")


def test_a_value_is_read_as_text() -> None:
    """Several values are separated as DICOM does, NUL padding goes, and what is absent is empty."""
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientID = "A1\0"
    assert (read(dataset, "ImageType"), read(dataset, "PatientID"), read(dataset, "StudyID")) == (
        "ORIGINAL\\PRIMARY",
        "A1",
        "",
    )
