"""What a night without changes costs the network when 100,000 objects are stored, and what the first night did.

    python -m bench.store_network [OBJECTS]

A practice PACS is filled with tiny objects; its nights are run by the command, through a port that counts every byte.
The node is not prepared: its program, about 90 kB, travels with each request.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.table import Row, within
from maintainer.practice.database import SUPERUSER, connect
from maintainer.practice.pacs import PracticePacs
from tests.e2e.counting import Counter, counted
from tests.practice_fixture import free_ports

OBJECTS, KILOBYTES = 100_000, 1_000.0
ZONES = [f"Etc/GMT{offset:+d}" for offset in range(-12, 13)]


def fill(pacs: PracticePacs, count: int) -> None:
    """Store so many objects of about 1 kB."""
    store = pacs.layout.store
    preamble = bytes(128) + b"DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"
    rows = []
    for number in range(count):
        content = preamble + b"\x08\x00\x18\x00UI\x0e\x002.25.1%08d" % number
        path = f"zz/{number % 256:02x}/{number}"
        (store / path).parent.mkdir(parents=True, exist_ok=True)
        (store / path).write_bytes(content)
        rows.append((f"2.25.1{number:08d}", path, len(content), hashlib.sha256(content).hexdigest()))
    with connect(pacs.layout, SUPERUSER) as database, database.cursor() as cursor:
        with cursor.copy("COPY objects (sop_instance_uid, path, size, sha256) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE objects")


def night(inventory: Path, zone: str, network: Counter) -> tuple[float, float]:
    """Run one night; answers kilobytes and seconds. In another zone, the day begins at another time."""
    inventory.write_text(re.sub(r'timezone = "[^"]+"', f'timezone = "{zone}"', inventory.read_text("utf-8")), "utf-8")
    before, began = network.bytes, time.perf_counter()
    command = [sys.executable, "-m", "maintainer", "-i", str(inventory), "run", "--task", "dicom-integrity"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (network.bytes - before) / 1000, time.perf_counter() - began


def rows(count: int = OBJECTS) -> Iterator[Row]:
    zones = [zone for zone in ZONES if datetime.now(ZoneInfo(zone)).hour < 20]  # noqa: PLR2004 (a night still fits)
    with tempfile.TemporaryDirectory() as folder:
        pacs = PracticePacs(Path(folder) / "pacs", free_ports())
        try:
            pacs.up()
            fill(pacs, count)
            with counted(pacs.ports.ssh) as network:
                inventory = _inventory(Path(folder), pacs, network.port)
                nights = [night(inventory, zone, network) for zone in zones[:3]]
        finally:
            pacs.down(wipe=True)
    for kilobytes, seconds in nights:
        print(f"{kilobytes:,.0f} kB in {seconds:.1f} s")
    yield within(f"ledger: a quiet night, {count:,} objects", nights[-1][0], "kB", at_most=KILOBYTES)


def _inventory(folder: Path, pacs: PracticePacs, port: int) -> Path:
    text = pacs.layout.inventory.read_text("utf-8")
    text = text.replace(f"port = {pacs.ports.ssh}", f"port = {port}")
    text = text.replace("[tasks.dicom-integrity]\n", '[tasks.dicom-integrity]\nverify_all_within = "30d"\n')
    text = re.sub(r'(?m)^state = "[^"]+"', f'state = "{folder}/state"', text)
    made = folder / "inventory.toml"
    made.write_text(text, "utf-8")
    return made


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else OBJECTS):
        print(row)
