"""Composing the set-up of a prepared node."""

from collections.abc import Sequence
from pathlib import Path

from maintainer.app.choice import check_known
from maintainer.archives.register import product
from maintainer.inventory_file.load import LoadedInventory
from maintainer.planning.installed_policy import installed_policy
from maintainer.planning.preparation import Preparation, check_account, check_sources, index_tables


def preparation(
    loaded: LoadedInventory, program: bytes, name: str, public_key: Path | None, sources: Sequence[str]
) -> Preparation:
    """Everything about the set-up of a prepared node; touches no node.

    Raises:
        UsageError: the inventory has no such node, or not what it takes.
        CouldNotLook: the controller's key cannot be read.
    """
    from maintainer.links.node_program import programs_in  # noqa: PLC0415 (only for who touches nodes)
    from maintainer.links.own_address import own_address  # noqa: PLC0415 (only for who touches nodes)
    from maintainer.links.public_key import public_key_of, read_public_key  # noqa: PLC0415 (only for who touches nodes)

    check_known(loaded, "node", [name], loaded.inventory.nodes)
    node = loaded.inventory.nodes[name]
    check_account(name, node)
    archive = product(node.store.archive) if node.store else None
    used = {one.params.window for one in loaded.assignments if one.node == name}
    windows = [loaded.inventory.windows[window] for window in used]
    return Preparation(
        name=name,
        node=node,
        key=read_public_key(public_key) if public_key else public_key_of(name, node),
        sources=check_sources(sources or [own_address(name, node.address, node.ssh.port)]),
        policy=installed_policy(node, archive.not_objects if archive else (), programs_in(program), windows),
        program=program,
        tables=index_tables(archive.queries) if archive else (),
    )
