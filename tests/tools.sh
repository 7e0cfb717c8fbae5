#!/bin/sh
# Install what the tests need besides .venv: a real sshd, and systemd's own judgement of our units. Without root, the
# tests that need them say so and are skipped.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
command -v sshd >/dev/null && command -v systemd-analyze >/dev/null && command -v visudo >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "no sshd, systemd-analyze or visudo here, and no right to install them: the tests that need them will be skipped" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# The package would start a server of its own on port 22; the tests start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -qq install --yes --no-install-recommends openssh-server systemd sudo >/dev/null
