"""What must be known of an archive product to compare its index with its store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


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
        known_sql: takes `%(paths)s` (text[]); answers, as `path`, those that the index lists, in whatever state, and
            those of which it cannot be said that it does not: what is not answered is an orphan.
        copies_sql: takes `%(uids)s` (text[]), SOP instance UIDs; answers each file that holds one of them:
            `sop_instance_uid`, `path`, `size`, `algorithm`, `digest`, as above.
            All queries are empty for a product without an index: its store is learnt by walking it.
        unjudged_sql: answers rows of `what`, `storage` and `objects`: how many entries of the index are not in
            `objects_sql` because no file can be held against them, and what the archive itself reports of its objects.
            Empty where there is no such thing.
        has_storages: whether objects lie in storages that the inventory must name; the queries then also take
            `%(storages)s`, which `on` puts in.
        not_objects: fnmatch patterns of file names in the store that are the product's own and never objects.
    """

    name: str
    objects_sql: str
    known_sql: str
    copies_sql: str
    unjudged_sql: str = ""
    has_storages: bool = False
    not_objects: tuple[str, ...] = ()

    @property
    def has_index(self) -> bool:
        return bool(self.objects_sql)

    @property
    def queries(self) -> tuple[str, ...]:
        return (self.objects_sql, self.known_sql, self.copies_sql, self.unjudged_sql)

    def on(self, storages: Mapping[str, str]) -> "ArchiveProduct":
        """Bind the queries to the storages of a node: name in the index → folder, relative to the store.

        Names and folders are of letters, digits and `._-/`, as the inventory takes them.
        """
        prefixes = {name: "" if folder == "." else f"{folder}/" for name, folder in storages.items()}
        literal = "'" + json.dumps(prefixes).replace("'", "''").replace("%", "%%") + "'"
        queries = (one.name for one in fields(self) if one.name.endswith("_sql"))
        return replace(self, **{name: getattr(self, name).replace("%(storages)s", literal) for name in queries})
