"""What must be known of an archive product to compare its index with its store."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ArchiveProduct:
    """Where a product keeps its objects and which queries list them.

    Attributes:
        name: as `archive = "…"` of an inventory's store names it.
        objects_sql: takes `%(after)s` (a key; 0 before the first) and `%(limit)s`; answers rows of `key` (bigint,
            ascending), `path` (relative to the store), `size` (bytes), `algorithm` (as hashlib names it), `digest`
            (hexadecimal; NULL where the product kept none), `kind`: `dicom`, or `other` for a file that is the
            product's own and has no DICOM header to be checked, such as an attachment or a compressed object, and
            `sop_instance_uid`, which the header of a `dicom` must have; NULL where the index does not say it.
        known_sql: takes `%(paths)s` (text[]); answers those that the index lists, as `path`.
        copies_sql: takes `%(uids)s` (text[]), SOP instance UIDs; answers each file that holds one of them:
            `sop_instance_uid`, `path`, `size`, `algorithm`, `digest`, as above.
        not_objects: fnmatch patterns of file names in the store that are the product's own and never objects.
    """

    name: str
    objects_sql: str
    known_sql: str
    copies_sql: str
    not_objects: tuple[str, ...] = ()

    @property
    def queries(self) -> tuple[str, ...]:
        return (self.objects_sql, self.known_sql, self.copies_sql)
