"""The archive products that `archive = "…"` of an inventory may name."""

from functools import cache
from importlib.resources import files

from maintainer.archives.product import ArchiveProduct

_NOT_OBJECTS: dict[str, tuple[str, ...]] = {
    "orthanc": (),
    "practice": ("*.part",),  # objects that are still being received
}


def names() -> tuple[str, ...]:
    """List every product that is known, in the order of the alphabet."""
    return tuple(sorted(_NOT_OBJECTS))


@cache
def product(name: str) -> ArchiveProduct:
    """Look up a product.

    Raises:
        KeyError: no such product; an inventory that was read cannot name one.

    >>> product("practice").objects_sql.startswith("-- Answers:")
    True
    """
    return ArchiveProduct(
        name=name,
        not_objects=_NOT_OBJECTS[name],
        objects_sql=_sql(f"{name}_objects.sql"),
        known_sql=_sql(f"{name}_known.sql"),
        copies_sql=_sql(f"{name}_copies.sql"),
    )


def _sql(file: str) -> str:
    return (files("maintainer.archives") / "sql" / file).read_text("utf-8")
