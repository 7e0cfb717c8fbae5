"""The archive products that `archive = "…"` of an inventory may name."""

from functools import cache
from importlib.resources import files

from maintainer.archives.product import ArchiveProduct
from maintainer.model.inventory import Store

_NOT_OBJECTS: dict[str, tuple[str, ...]] = {
    "dcm4chee": ("NO_MOUNT",),  # lies in a storage's folder while nothing is mounted over it
    "orthanc": (),
    "practice": ("*.part",),  # objects that are still being received
    "tree": (),
}
_WITHOUT_INDEX = frozenset({"tree"})
_HAVE_STORAGES = frozenset({"dcm4chee"})
_NOTHING_UNJUDGED = frozenset({"practice"})


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
    has_index = name not in _WITHOUT_INDEX
    return ArchiveProduct(
        name=name,
        not_objects=_NOT_OBJECTS[name],
        objects_sql=_sql(f"{name}_objects.sql") if has_index else "",
        known_sql=_sql(f"{name}_known.sql") if has_index else "",
        copies_sql=_sql(f"{name}_copies.sql") if has_index else "",
        unjudged_sql=_sql(f"{name}_unjudged.sql") if has_index and name not in _NOTHING_UNJUDGED else "",
        has_storages=name in _HAVE_STORAGES,
    )


def product_of(store: Store) -> ArchiveProduct:
    """Look up the product of a node's store, its queries bound to the node's storages."""
    return product(store.archive).on(store.storages)


def _sql(file: str) -> str:
    return (files("maintainer.archives") / "sql" / file).read_text("utf-8")
