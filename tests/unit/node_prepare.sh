#!/bin/sh
# Prepares this machine as the node pacs-b of `maintainer`. Read it, then run it as root, here:
#
#     sh prepare.sh                     asks for the database role's password where there is a terminal to ask at
#     sh prepare.sh /root/password      takes the first line of that file as the password
#
# In this order, each of it only when needed, so that running it again does no harm:
#
#   1. an account that no password opens
#   2. the policy, root's: what the program may touch here, and nothing else     /etc/maintainer/policy.json
#   3. one sudo rule: that program with exactly these arguments                  /etc/sudoers.d/maintainer
#   4. one line in authorized_keys: the controller's key, from the controller's address, opens that program and a
#      connection to the database, and nothing else
#   5. a database role with what maintenance needs, on this version of PostgreSQL
#   6. the program, root's                                                       /usr/local/lib/maintainer/node.pyz
#   7. a question to it, asked as the controller will ask
#
# `maintainer node prepare pacs-b --undo` prints how to take it back.

set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /

user=maintainer
python=/usr/bin/python3
program=/usr/local/lib/maintainer/node.pyz
sha256=82f24dfdd2b233866544964178f2eed4b14d6a8f4bee7b74aa75ecbb5af9b229
policy=/etc/maintainer/policy.json
sudo=yes
sudoers=/etc/sudoers.d/maintainer
command='/usr/bin/python3 -I -S -B /usr/local/lib/maintainer/node.pyz'
forced='sudo -n /usr/bin/python3 -I -S -B /usr/local/lib/maintainer/node.pyz'
key='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f'
options='restrict,from="10.0.0.2",port-forwarding,permitopen="127.0.0.1:5432",command="sudo -n /usr/bin/python3 -I -S -B /usr/local/lib/maintainer/node.pyz"'
database_here=yes
database=orthanc
port=5432
role=maintainer
with_password=yes
tables=files,objects
mark='PACS maintenance, made by maintainer node prepare'
by_hand='psql -X -v ON_ERROR_STOP=1 -v role=maintainer -v '"'"'mark=PACS maintenance, made by maintainer node prepare'"'"' -v tables=files,objects -d orthanc'
question='{"format":"maintainer.node/2","verb":"observe","deadline_seconds":10,"policy":null,"questions":[{"program":"hello","request":{}}]}'

say() { printf 'prepare: %s\n' "$1"; }
stop() { printf 'prepare: %s\n' "$1" >&2 && exit 1; }
# Write standard input to a file of root's, whole or not at all: put FILE MODE [CHECK]
put() {
    new=$(mktemp "$1.XXXXXX")
    cat >"$new"
    chown root:root "$new" && chmod "$2" "$new"
    if ! ${3:-true} "$new"; then rm -f "$new" && stop "$1 was not written: it is not valid"; fi
    mv -f "$new" "$1"
}
password_file=${1:-}
[ "$(id -u)" = 0 ] || stop 'run this as root'
[ -z "$password_file" ] || [ -r "$password_file" ] || stop "there is no file $password_file"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' || stop "$python must be 3.6 or newer: install it"
[ "$sudo" = no ] || command -v visudo >/dev/null || stop 'sudo is not installed: install it'

# ---- 1. The account ----------------------------------------------------------------------------------------------------

if ! getent passwd "$user" >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir "/home/$user" --shell /bin/sh --password '*' \
        --comment "$mark" "$user"
    install -d -o root -g root -m 755 "/home/$user" "/home/$user/.ssh"
    say "made the account $user"
fi
[ "$(id -u "$user")" != 0 ] || stop "$user is root: a prepared node wants an account of its own"
home=$(getent passwd "$user" | cut -d: -f6)
[ -d "$home" ] || stop "the account $user has no home folder $home"
[ -d "$home/.ssh" ] || install -d -o root -g root -m 755 "$home/.ssh"

# ---- 2. The policy -----------------------------------------------------------------------------------------------------
# `restart` starts what it has stopped; no program can be asked only to stop a service.

install -d -o root -g root -m 755 "${policy%/*}" "${program%/*}"
put "$policy" 644 <<'POLICY'
{
  "format": "maintainer.policy/1",
  "longest_seconds": 28800,
  "programs": {
    "observe": [
      "cleanup",
      "fan-speed",
      "hello",
      "services"
    ],
    "act": [
      "expire",
      "quarantine",
      "restart"
    ]
  },
  "services": {
    "orthanc": {
      "unit": "orthanc.service",
      "timeout_seconds": 300.0
    }
  },
  "roots": {
    "spool": {
      "path": "/srv/spool",
      "patterns": [
        "*.tmp"
      ],
      "older_than_seconds": 86400.0,
      "age_by": "ctime",
      "keep_quarantined_seconds": 604800.0
    }
  },
  "store": null,
  "not_objects": [
    "*.part"
  ],
  "mounts": [],
  "may_reboot": false,
  "watch": []
}
POLICY
say "wrote $policy"

# ---- 3. The sudo rule --------------------------------------------------------------------------------------------------

valid_sudoers() { visudo -c -q -f "$1"; }
if [ "$sudo" = yes ]; then
    put "$sudoers" 440 valid_sudoers <<SUDOERS
# From \`maintainer node prepare\`. No wildcard, and no argument but these.
Defaults:$user !requiretty
$user ALL=(root) NOPASSWD: $command
SUDOERS
    say "wrote $sudoers"
else
    rm -f "$sudoers"
    say "no sudo rule: the inventory says sudo = false, so the program can do here what $user can"
fi

# ---- 4. The key --------------------------------------------------------------------------------------------------------

keys=$home/.ssh/authorized_keys
others=$(grep -vF -e "$key" "$keys" 2>/dev/null || true)
[ -z "$others" ] || say "note: $keys lets other keys in, too, and those are not bound to the program"
printf '%s\n' ${others:+"$others"} "$options $key maintainer" | put "$keys" 644
if command -v restorecon >/dev/null; then restorecon -R "$home/.ssh"; fi
say "the key is in $keys"

# ---- 5. The database role ----------------------------------------------------------------------------------------------

as_superuser() {
    runuser -u postgres -- env PGDATABASE="$database" PGPORT="$port" \
        psql -X -q -t -A -v ON_ERROR_STOP=1 -v role="$role" -v mark="$mark" -v tables="$tables" "$@"
}
ask_password() {
    # psql hashes it: the server, and so its log, never sees the password itself.
    if [ -n "$password_file" ]; then
        password=$(sed -n 1p "$password_file")
        printf '%s\n' '\password :"role"' "$password" "$password" |
            setsid -w runuser -u postgres -- env PGDATABASE="$database" PGPORT="$port" \
                psql -X -q -v ON_ERROR_STOP=1 -v role="$role" 2>/dev/null || stop 'the password was not set'
        say "set the password of the role $role"
    elif [ -t 0 ] && [ -t 1 ]; then
        say "a password for the database role $role, the same as in the controller's file:"
        printf '%s\n' '\password :"role"' | as_superuser
    else
        say "the role $role has its password still to be set: run this again with a password file"
    fi
}
role_sql() {
    cat <<'SQL'
-- The role that maintenance logs in as. PostgreSQL 12 to 18. For psql as a superuser, in the archive's database.
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I LOGIN', :'role'), format('COMMENT ON ROLE %I IS %L', :'role', :'mark')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT rolsuper AS too_wide FROM pg_roles WHERE rolname = :'role' \gset
\if :too_wide
-- An error on purpose: it ends everything here.
SELECT 'this role is a superuser: name another one in the inventory'::int;
\endif
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
-- To see other sessions' transactions, and to measure indexes.
GRANT pg_monitor, pg_stat_scan_tables TO :"role";
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM pg_available_extensions
WHERE name IN ('amcheck', 'pgstattuple') \gexec
-- To read tables and indexes for damage, which nobody but superusers may until it is granted.
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'role')
FROM pg_extension AS e
JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
WHERE e.extname = 'amcheck' AND p.proname IN ('bt_index_check', 'verify_heapam') \gexec
-- To vacuum and to rebuild indexes: a right of its own from 17 on; before that, only the tables' owner may.
SELECT current_setting('server_version_num')::int >= 170000 AS has_maintain \gset
\if :has_maintain
GRANT pg_maintain TO :"role";
\else
SELECT DISTINCT format('GRANT %I TO %I', o.rolname, :'role')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE c.relkind IN ('r', 'p', 'm')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT o.rolsuper AND o.rolname <> :'role' \gexec
\endif
-- To name tables in schemas that are not open to all, and to see which sequences come near to their end.
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, :'role')
FROM pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT has_schema_privilege(:'role', n.oid, 'USAGE')
  AND (EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'm'))
       OR EXISTS (SELECT FROM pg_extension AS e WHERE e.extnamespace = n.oid AND e.extname IN ('amcheck', 'pgstattuple')))
\gexec
SELECT format('GRANT SELECT ON SEQUENCE %s TO %I', c.oid::regclass, :'role')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege(:'role', c.oid, 'USAGE, SELECT') END \gexec
-- To compare the archive's index with its store: these tables, if they are here.
SELECT format('GRANT SELECT ON %s TO %I', to_regclass(t.name), :'role')
FROM unnest(string_to_array(:'tables', ',')) AS t(name)
WHERE to_regclass(t.name) IS NOT NULL \gexec
SQL
}
if [ "$database_here" = yes ] && getent passwd postgres >/dev/null && command -v psql >/dev/null; then
    role_sql | as_superuser
    say "the database role $role is there"
    if [ "$with_password" = yes ]; then ask_password; fi
elif [ -n "$database" ]; then
    say "no PostgreSQL of this machine's own: on the database's machine, as its superuser, put this into"
    say "$by_hand"
    role_sql
    say "and then set the role's password there, by \\password"
fi

# ---- 6. The program, which `maintainer node program | sha256sum` must give too; 7. the question to it --------------------

valid_program() { printf '%s  %s\n' "$sha256" "$1" | sha256sum -c --quiet; }
finish() {
    base64 -d | put "$program" 644 valid_program
    say "wrote $program"
    answer=$(printf '%s' "$question" | runuser -u "$user" -- /bin/sh -c "$forced") || true
    case $answer in
    *'"ok":true'*) say 'the program answers: this node is prepared. Write prepared = true in the inventory' ;;
    *) stop "the program does not answer as it should: $answer" ;;
    esac
}
finish <<'PROGRAM'
UEsgdGhlIHByb2dyYW0=
PROGRAM
