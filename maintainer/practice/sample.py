"""The inventory of a practice PACS, made from the annotated sample."""

import re
from dataclasses import asdict
from importlib.resources import files

from maintainer.practice.keys import public_host_key
from maintainer.practice.layout import DEFAULT_FOLDER, Layout, Ports, recorded_ports


def write_inventory(layout: Layout) -> None:
    sample = (files("maintainer.practice") / "inventory.toml").read_text("utf-8")
    layout.inventory.write_text(render(sample, layout, recorded_ports(layout), public_host_key(layout)), "utf-8")


def render(sample: str, layout: Layout, ports: Ports, host_key: str) -> str:
    """Put a PACS's folder, ports and host key where the sample has those of the default one."""
    default, wanted = asdict(Ports()), asdict(ports)
    new = {str(default[name]): str(wanted[name]) for name in default}
    text = sample.replace(str(DEFAULT_FOLDER), str(layout.folder))
    text = re.sub(rf"\b({'|'.join(new)})\b", lambda found: new[found[0]], text)
    return re.sub(r'(?m)^known_hosts = "[^"\n]*"', f'host_key = "{host_key}"', text)
