#!/bin/sh
# Install what the tests need besides .venv: a real sshd, systemd's own judgement of our units, sudo, strace to kill a run
# at a system call, and what builds and boots the lab's nodes. Without root, the tests that need them say so and are
# skipped.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
programs="sshd systemd-analyze visudo strace systemd-nspawn mmdebstrap ip iptables echoscu"
packages="openssh-server systemd sudo strace systemd-container mmdebstrap debian-archive-keyring iproute2 iptables dcmtk"
missing=
for program in $programs; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "not here, and no right to install:$missing; the tests that need them will be skipped" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# The package would start a server of its own on port 22; the tests start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086 # a list of words
if ! { apt-get -qq update && apt-get -qq install --yes --no-install-recommends $packages >/dev/null; }; then
    echo "could not be installed:$missing; the tests that need them will be skipped" >&2
fi
