"""Which DICOM attributes the practice archive keeps, at which level, in which column; how a C-FIND key matches them.

Source: DICOM PS3.4, C.2.2.2 (attribute matching) and C.6.1.1, C.6.2.1 (keys of the information models).
"""

from collections.abc import Sequence
from typing import Any

from psycopg import sql
from pydicom.dataset import Dataset

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
TABLES = {"PATIENT": "patients", "STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

COLUMNS = {
    "PATIENT": {
        "PatientID": "patient_id",
        "PatientName": "patient_name",
        "PatientBirthDate": "birth_date",
        "PatientSex": "sex",
    },
    "STUDY": {
        "StudyInstanceUID": "study_instance_uid",
        "StudyDate": "study_date",
        "StudyTime": "study_time",
        "AccessionNumber": "accession_number",
        "StudyID": "study_id",
        "StudyDescription": "study_description",
    },
    "SERIES": {
        "SeriesInstanceUID": "series_instance_uid",
        "Modality": "modality",
        "SeriesNumber": "series_number",
        "SeriesDescription": "series_description",
    },
    "IMAGE": {
        "SOPInstanceUID": "sop_instance_uid",
        "SOPClassUID": "sop_class_uid",
        "InstanceNumber": "instance_number",
    },
}

JOINS = {
    "PATIENT": "patients",
    "STUDY": "patients JOIN studies ON patient_pk = patients.pk",
    "SERIES": "patients JOIN studies ON patient_pk = patients.pk JOIN series ON study_pk = studies.pk",
    "IMAGE": (
        "patients JOIN studies ON patient_pk = patients.pk JOIN series ON study_pk = studies.pk"
        " JOIN instances ON series_pk = series.pk JOIN objects ON objects.sop_instance_uid = instances.sop_instance_uid"
    ),
}


def read(dataset: Dataset, keyword: str) -> str:
    """Read an attribute as text, its values separated as DICOM does; empty when absent or not readable."""
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 (pydicom raises many kinds on values that break the rules)
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(str(part) for part in value)
    return "" if value is None else str(value).replace("\0", "").strip()


def kept_at(level: str) -> dict[str, sql.Identifier]:
    """List the attributes that a query at `level` can ask for: its own and those of the levels above."""
    upto = LEVELS[: LEVELS.index(level) + 1]
    return {k: sql.Identifier(TABLES[at], column) for at in upto for k, column in COLUMNS[at].items()}


def conditions(identifier: Dataset, level: str) -> tuple[sql.Composable, list[Any]]:
    """Turn the keys of a C-FIND or C-GET identifier into a condition and its parameters."""
    parts: list[sql.Composable] = [sql.SQL("TRUE")]
    values: list[Any] = []
    for keyword, column in kept_at(level).items():
        wanted = read(identifier, keyword)
        if wanted.strip("*"):  # an empty key, or a lone asterisk, matches everything
            template, parameters = _match(keyword, wanted)
            parts.append(template.format(column))
            values.extend(parameters)
    return sql.SQL(" AND ").join(parts), values


def _match(keyword: str, wanted: str) -> tuple[sql.SQL, list[Any]]:
    if keyword.endswith("UID"):
        return sql.SQL("{} = ANY(%s)"), [wanted.split("\\")]
    if keyword.endswith("Date") and "-" in wanted:
        first, last = wanted.split("-", 1)
        return sql.SQL("{} BETWEEN %s AND %s"), [first, last or "99991231"]
    if "*" in wanted or "?" in wanted:
        escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return sql.SQL("{} ILIKE %s"), [escaped.replace("*", "%").replace("?", "_")]
    return sql.SQL("lower({}) = lower(%s)"), [wanted]
