#!/bin/sh
# Runs inside the new root, as root, with this folder at /image: makes it a PACS node that only lacks a name.
set -eu
install -m 644 /image/orthanc.json /etc/orthanc/orthanc.json
install -m 640 -g orthanc /image/postgresql.json /etc/orthanc/postgresql.json
rm -f /etc/orthanc/credentials.json /etc/orthanc/worklists.json /etc/orthanc/serve-folders.json
mkdir -p /etc/systemd/system/orthanc.service.d
printf '[Unit]\nAfter=postgresql@15-main.service\n' >/etc/systemd/system/orthanc.service.d/database.conf

# Checksums, so that a damaged page is noticed. No TCP: the machine that builds may run a server of its own.
/usr/lib/postgresql/15/bin/pg_checksums --enable --pgdata /var/lib/postgresql/15/main >/dev/null
pg_ctlcluster 15 main start -o "-c listen_addresses=''"
runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -f /image/database.sql
pg_ctlcluster 15 main stop

useradd --create-home --shell /bin/bash maintainer
install -d -m 700 -o maintainer -g maintainer /home/maintainer/.ssh
printf 'maintainer ALL=(root) NOPASSWD: /usr/bin/python3\n' >/etc/sudoers.d/maintainer
chmod 440 /etc/sudoers.d/maintainer
install -d -o orthanc -g orthanc /var/spool/pacs-import

rm -f /etc/ssh/ssh_host_*_key* # every node gets its own
: >/etc/machine-id
: >/etc/resolv.conf
systemctl mask -q apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
