"""The nights of a practice PACS, one after the other, of which each verifies its store."""

import hashlib
import io
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydicom

from maintainer.practice.database import SUPERUSER, connect
from tests.e2e.counting import Counter
from tests.e2e.driver import Controller, endings, findings
from tests.practice_fixture import Practice

ZONES = [f"Etc/GMT{offset:+d}" for offset in range(-12, 13)]
TASK = ("--task", "dicom-integrity")


class Nights:
    """The practice PACS and its controller, night after night: at another place, the day begins at another time."""

    def __init__(self, practice: Practice, me: Controller) -> None:
        self.practice, self.me, self.zone = practice, me, "Europe/Paris"
        self.zones = [zone for zone in ZONES if datetime.now(ZoneInfo(zone)).hour < 20]  # no other day begins meanwhile
        self.next()
        me.edit("[tasks.dicom-integrity]\n", '[tasks.dicom-integrity]\nverify_all_within = "1h"\n')

    def plan(self) -> dict[str, Any]:
        return self.me.here("plan", "--json", *TASK).document

    def run(self) -> dict[str, Any]:
        return self.me.here("run", "--json", *TASK).document

    def next(self) -> None:
        before, self.zone = self.zone, self.zones.pop()
        self.me.edit(f'timezone = "{before}"', f'timezone = "{self.zone}"')

    def bytes_of_a_night(self, network: Counter) -> int:
        self.next()
        before = network.bytes
        assert [ending for *_, ending in endings(self.run())] == ["done"]
        return network.bytes - before

    def store_many(self, count: int) -> None:
        """Let the archive have so many small objects more, of the same content but for the SOP instance UID."""
        content = self.objects()[0].read_bytes()
        same = str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID)
        folder = self.practice.layout.store / "zz"
        folder.mkdir()
        rows = []
        for number in range(count):
            uid = f"2.25.1{number:0{len(same) - 6}d}"
            another = content.replace(same.encode(), uid.encode())
            (folder / str(number)).write_bytes(another)
            rows.append((uid, f"zz/{number}", len(content), hashlib.sha256(another).hexdigest()))
        insert = "INSERT INTO objects (sop_instance_uid, path, size, sha256) VALUES (%s, %s, %s, %s)"
        with connect(self.practice.layout, SUPERUSER) as database, database.cursor() as cursor:
            cursor.executemany(insert, rows)

    @property
    def ledger(self) -> Path:
        (found,) = (self.practice.folder.parent).rglob("store-ledger.sqlite")
        return found

    def objects(self) -> list[Path]:
        return sorted(path for path in self.practice.layout.store.rglob("*") if path.is_file())

    def causes(self, document: dict[str, Any]) -> list[str]:
        return sorted(cause for _, cause, _ in findings(document.get("entries") or document["tasks"]))
