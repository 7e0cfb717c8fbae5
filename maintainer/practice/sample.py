"""The inventory of a practice PACS, made from the annotated sample."""

import re
from dataclasses import asdict
from importlib.resources import files

from maintainer.practice.keys import public_host_key
from maintainer.practice.layout import DEFAULT_FOLDER, Layout, Ports, recorded_ports


def write_inventory(layout: Layout) -> None:
    sample = (files("maintainer.practice") / "inventory.toml").read_text("utf-8")
    layout.inventory.write_text(render(sample, layout, public_host_key(layout)), "utf-8")


def render(sample: str, layout: Layout, host_key: str) -> str:
    """Put this PACS's folder, ports and host key where the sample has those of the default one."""
    text = sample.replace(str(DEFAULT_FOLDER), str(layout.folder))
    ports, default = asdict(recorded_ports(layout)), asdict(Ports())
    for name, port in default.items():
        text = re.sub(rf"\b{port}\b", str(ports[name]), text)
    return re.sub(r'(?m)^known_hosts = "[^"\n]*"', f'host_key = "{host_key}"', text)
