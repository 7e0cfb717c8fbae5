# What condition a PACS node is in, a line for each thing. Arguments: store, state of a prepared node, canary's UID.
store=$1 prepared=$2 canary=$3
echo "systemd is $(systemctl is-system-running)"
for unit in ssh postgresql@15-main orthanc; do
    echo "$unit is $(systemctl is-active $unit)"
done
systemctl list-units --all --plain --no-legend 'maintainer-*' | sed 's/ .*/ is a unit of ours/'
for process in $(pgrep -u maintainer; pgrep -x python3); do
    echo "$(tr '\0\n' ' ' </proc/"$process"/cmdline | cut -c-80) runs"
done
findmnt --raw --noheadings --output TARGET,FSTYPE | sed '/^.run.user/d; s/^/mounted: /'
grep -s -l '"holder": *{' "$prepared/lease.json" | sed 's/$/ says that the node is held/'
echo "$(find "$store" -type f | wc -l) files in the store"
runuser -u postgres -- psql -XAt -d orthanc <<END
SELECT count(*) || ' images in the index' FROM attachedfiles;
SELECT count(*) || ' canary studies' FROM dicomidentifiers WHERE value = '$canary';
SELECT 'table ' || relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
SELECT 'index ' || indexrelid::regclass || ' is invalid' FROM pg_index WHERE NOT indisvalid;
END
