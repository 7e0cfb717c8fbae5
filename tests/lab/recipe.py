"""What the lab's machines are made of. A change here, or of a file in `pacs_node/`, makes a new image."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent

# A mirror may lag behind its own expiry date; recommended packages would double the size.
APT_OPTIONS = ('Acquire::Check-Valid-Until "false"', 'APT::Install-Recommends "false"')


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make one root folder with mmdebstrap.

    Attributes:
        variant: `minbase` is a Debian that boots; `extract` only unpacks, which is enough to run a program in.
        hooks: shell commands that finish it, on the machine that builds; $1 is the root and $LAB_FILES is `files`.
        files: folder that the hooks need.
    """

    name: str
    release: str
    variant: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...]
    files: Path | None = None

    def digest(self) -> str:
        """Name what comes out by all that goes in, but for the packages' versions."""
        made_of = (self.name, self.release, self.variant, self.packages, self.hooks, APT_OPTIONS)
        seen = hashlib.sha256(repr(made_of).encode())
        for file in sorted(self.files.iterdir()) if self.files else ():
            seen.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return seen.hexdigest()


PACS_NODE = Recipe(
    name="pacs-node",
    release="bookworm",
    variant="minbase",
    packages=(
        *("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "procps", "python3", "sudo"),
        *("postgresql-15", "orthanc", "orthanc-postgresql", "dcmtk"),
    ),
    hooks=('cp -r "$LAB_FILES" "$1/image"', 'chroot "$1" sh /image/setup.sh', 'rm -r "$1/image"'),
    files=_HERE / "pacs_node",
)
OLD_PYTHONS = Recipe(
    name="old-pythons",
    release="bullseye",
    variant="extract",
    packages=("python3", "pypy3", "libc-bin", "dash", "coreutils"),
    hooks=(
        'mkdir "$1/proc" "$1/pypy"',
        'ln -s /usr/bin/pypy3 "$1/pypy/python3"',
        'cat "$LAB_FILES/os_of_pypy.py" >>"$1/usr/lib/pypy3/lib-python/3/os.py"',
    ),
    files=_HERE / "old_pythons",
)
