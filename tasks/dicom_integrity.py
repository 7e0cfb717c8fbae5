"""Compare the archive's index with its store, both ways, and say what differs. It never repairs and never deletes.

Every indexed object: is it there, has it the size and the digest of the index, does its header parse? Every file: does
the index know it? Proof of an object is the archive's own digest; a header that parses proves little.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from maintainer import sdk
from tasks.integrity_facts import IntegrityFacts, IntegrityParams, Ledger, LedgerSeen, Scan
from tasks.integrity_findings import about_store, left_out, of_object, store_lost, unconfirmed
from tasks.integrity_index import asked, told


class DicomIntegrity(sdk.Task[IntegrityParams, IntegrityFacts]):
    name = "dicom-integrity"
    roles = frozenset({sdk.Role.STORE})
    params = IntegrityParams
    facts = IntegrityFacts

    def observe(self, node: sdk.Node, params: IntegrityParams) -> Mapping[str, sdk.Question]:
        if params.verify_all_within is not None:
            return {
                "ledger": sdk.StoreLedger(),
                "openings": sdk.Openings(within=params.verify_all_within),
                "roots": sdk.Recorded(measurement=ROOT),
                **asked(node),
            }
        return {"scan": sdk.StoreScan(grace=params.grace, at_most=params.at_most, resume=VERIFIED_UP_TO), **asked(node)}

    def plan(self, node: sdk.Node, params: IntegrityParams, facts: IntegrityFacts) -> sdk.Decision:
        decision = self._decide(params, facts)
        return decision.model_copy(update={"findings": (*decision.findings, *told(facts.unjudged))})

    def _decide(self, params: IntegrityParams, facts: IntegrityFacts) -> sdk.Decision:
        if facts.ledger is not None and params.verify_all_within is not None:
            return _Night(params, params.verify_all_within, facts, facts.ledger).decision()
        return self._by_scan(params, facts.scan)

    def _by_scan(self, params: IntegrityParams, scan: Scan | None) -> sdk.Decision:
        if scan is None:
            return sdk.Refuse(because="the store was not looked at", hint="both ends must be of one version")
        verdicts = Counter(deviation.verdict for deviation in scan.deviations)
        missing, orphans = verdicts["missing"] + scan.unlisted, verdicts["orphan"] + scan.unlisted
        is_lost = scan.checked and missing >= max(2, params.lost_share * scan.checked)
        if not scan.store_present or is_lost or _are_of_another(orphans, scan, params):
            return _lost_mount(scan, missing, orphans)
        position = sdk.Measurement(name=VERIFIED_UP_TO, subject="store", value=scan.reached or 0)
        findings = (*map(of_object, scan.deviations), *_unfinished(scan))
        return sdk.Nothing(because=_summary(scan), findings=findings, measured=(position,))


class _Night:
    """What the ledger comes to in one opening of the window."""

    def __init__(self, params: IntegrityParams, period: timedelta, facts: IntegrityFacts, seen: LedgerSeen) -> None:
        self._params, self._period, self._facts, self._seen = params, period, facts, seen
        self._ledger = seen.ledger
        self._tonight = facts.openings[0].opens.isoformat() if facts.openings else ""
        self._coverage = self._cover()

    def decision(self) -> sdk.Decision:
        refused = self._refused()
        if refused is not None:
            return refused
        findings, measured = tuple(self._findings()), tuple(self._measured())
        if not self._tonight:
            because = f"{self._told()}; the window does not open within {sdk.write_duration(self._period)}"
            return sdk.Nothing(because=because, findings=findings, measured=measured)
        if self._is_over():
            return sdk.Nothing(because=self._told(), findings=findings, measured=measured)
        if self._seen.silent:
            hint = "the store is read when the index answers again"
            return sdk.Refuse(because=self._seen.silent, hint=hint, findings=findings)
        return sdk.Steps(steps=(self._step(),), findings=findings, measured=measured)

    def _is_over(self) -> bool:
        return self._ledger is not None and self._ledger.sealed and self._ledger.night == self._tonight

    def _step(self) -> sdk.Step:
        quota = None if self._seen.trouble == "interrupted" else self._coverage.tonight
        params = self._params
        action = sdk.VerifyStore(
            night=self._tonight,
            quota=quota,
            rate=params.rate,
            threads=params.threads,
            pause_above=params.pause_above,
            grace=params.grace,
            lost_share=params.surprise_share,
        )
        at_least = "" if self._seen.arrived_all else "at least "
        size = _size(quota) if quota or (quota is not None and self._seen.arrived_all) else ""
        what = f"{at_least}{size} of the store" if size else "as much of the store as the time allows"
        return sdk.Step(
            subject="store",
            title=f"read {what}, the fresh first, then the oldest reading",
            reason=self._told(),
            action=action,
            risk=sdk.Risk.READS,
            timeout=params.at_most,
        )

    def _cover(self) -> sdk.Coverage:
        ledger, rate = self._ledger, self._params.rate
        speeds = [speed for speed in (ledger.speed if ledger else 0, rate) if speed]
        store = sdk.Store(
            fresh=self._seen.arrived_bytes + (ledger.fresh_bytes if ledger else 0),
            ages=self._ages(ledger) if ledger else (),
            speed=min(speeds, default=None),
        )
        now = self._facts.observed_at
        return sdk.coverage(store, self._period, self._params.at_most, self._facts.openings, now)

    def _ages(self, ledger: Ledger) -> list[sdk.Age]:
        """Days by the clock of here: a node's may be months off, and be set right one day."""
        ahead = round((ledger.clock - self._facts.observed_at.timestamp()) / 86400) if ledger.clock else 0
        return [sdk.Age(day - ahead, size) for day, _, size in ledger.ages]

    def _told(self) -> str:
        if self._ledger is None:
            return _NO_LEDGER.get(self._seen.trouble, "the node has no ledger of its store yet")
        ledger, found = self._ledger, self._coverage
        oldest = f", the oldest reading is of {found.oldest}" if found.oldest else ""
        complete = f", all of it by {found.complete:%Y-%m-%d}" if found.complete and found.share < 1 else ""
        rate = f"{_size(found.rate_needed)}/s in each window"
        kept = {
            True: f"which can be kept with {rate}",
            False: f"which cannot be kept: it takes {rate}",
            None: f"which takes {rate}",
        }[found.keeps]
        sound = ledger.verified
        return (
            f"{found.share:.0%} of {_size(ledger.bytes + self._seen.arrived_bytes)} was read within"
            f" {sdk.write_duration(self._period)}, {kept}{oldest}{complete};"
            f" {sound['archive']} objects verified against the archive's digest, {sound['baseline']} against our"
            f" baseline, {sound['baselined']} read once"
        )

    def _refused(self) -> sdk.Refuse | None:
        if not self._seen.store_present:
            return store_lost({"store_present": False})
        if self._seen.trouble not in {"", "none", *_NO_LEDGER}:
            what = self._seen.trouble.replace("-", " ")
            return sdk.Refuse(because=f"the ledger on the node is {what}", hint=_MOVE_AWAY)
        if self._trust() is sdk.Trust.TAMPERED:
            finding = about_store("ledger-tampered", {}, _MOVE_AWAY, sdk.Severity.CRITICAL)
            because = "the ledger on the node is not the one that the log has on record: somebody changed it"
            return sdk.Refuse(because=because, hint=_MOVE_AWAY, findings=(finding,))
        return None

    def _trust(self) -> sdk.Trust:
        if self._ledger is None:
            return sdk.Trust.TRUSTED
        newest = max(self._facts.roots.items(), key=lambda item: item[1].last, default=("", None))[0]
        ledger = self._ledger
        # When it was sealed the ledger itself cannot tell: who changes it writes there what he likes.
        just_sealed = ledger.root == self._seen.sealed_here
        return sdk.trust(ledger.root, ledger.seals, newest, sealed=ledger.sealed, just_sealed=just_sealed)

    def _measured(self) -> Iterator[sdk.Measurement]:
        if self._ledger is not None and self._ledger.sealed and self._trust() is sdk.Trust.TRUSTED:
            # The newest is told by this number, also after the clock was set back.
            others = [seen.last for root, seen in self._facts.roots.items() if root != self._ledger.root]
            at = max(self._facts.observed_at.timestamp(), *(last + 1 for last in others), 0)
            yield sdk.Measurement(name=ROOT, subject=self._ledger.root, value=at)
        if self._ledger is not None:
            yield from sdk.Covered.of(self._coverage, self._period).measured()

    def _findings(self) -> Iterator[sdk.Finding]:
        ledger = self._ledger
        if ledger is None:
            if self._facts.roots and self._seen.trouble == "none":
                yield about_store("ledger-gone", {}, "find out who removed it: a new one begins", sdk.Severity.CRITICAL)
            if self._seen.trouble == "older-format":
                yield about_store("ledger-begun-anew", {}, "nothing to do: all of the store is read as if it were new")
            return
        if self._trust() is sdk.Trust.UNPROVEN:
            advice = "see in the log how the last run ended; if it did not break off, somebody changed the ledger"
            yield about_store("ledger-unproven", {}, advice)
        if ledger.proof:
            evidence: dict[str, sdk.JsonValue] = {"not_found": list(ledger.proof)}
            advice = "the check did not find the faults that it had planted itself: believe none of its results"
            yield about_store("proof-failed", evidence, advice, sdk.Severity.CRITICAL)
        elif ledger.lost:
            yield from store_lost({"why": ledger.lost}, _ON_PURPOSE).findings
        else:
            yield from map(of_object, ledger.deviations)
            yield from left_out(ledger.unlisted, ledger.skipped)
            yield from unconfirmed(ledger.unconfirmed)
        yield from self._late()

    def _late(self) -> Iterator[sdk.Finding]:
        if self._coverage.keeps is False:
            evidence: dict[str, sdk.JsonValue] = {
                "bytes_a_second_needed": self._coverage.rate_needed,
                "bytes_a_second": self._ledger.speed if self._ledger else None,
                "share_read": round(self._coverage.share, 3),
            }
            advice = "raise at_most, rate, threads or pause_above, or verify_all_within, in [tasks.dicom-integrity]"
            yield about_store("coverage-late", evidence, advice)


def _summary(scan: Scan) -> str:
    part = "" if scan.reached is None else " (the next run goes on from there)"
    differ = len(scan.deviations) + scan.unlisted
    return (
        f"{scan.checked} objects ({scan.bytes / 1e6:.1f} MB) and {scan.files} files were checked{part}, {differ} differ"
    )


def _lost_mount(scan: Scan, missing: int, orphans: int) -> sdk.Refuse:
    evidence: dict[str, sdk.JsonValue] = {"store_present": scan.store_present, "checked": scan.checked}
    return store_lost({**evidence, "missing": missing, "orphans": orphans})


def _are_of_another(orphans: int, scan: Scan, params: IntegrityParams) -> bool:
    """Whether so many files are unknown to the index that it is one of another store, or empty."""
    return orphans >= max(LEAST_ORPHANS, params.lost_share * scan.files)


def _unfinished(scan: Scan) -> Iterator[sdk.Finding]:
    if not scan.files_complete and not scan.stopped:
        advice = "raise at_most in [tasks.dicom-integrity]: orphans may have been missed"
        yield about_store("files-not-all-listed", {"count": scan.files}, advice)
    yield from left_out(scan.unlisted, scan.skipped)


def _size(count: int) -> str:
    """Write bytes as people read them.

    >>> _size(1_234_000_000), _size(900)
    ('1.2 GB', '900 B')
    """
    unit, word = next(((unit, word) for unit, word in _UNITS if count >= unit), (1, "B"))
    return f"{count} B" if unit == 1 else f"{count / unit:.1f} {word}"


_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_NO_LEDGER = {
    "interrupted": "its ledger was left open",
    "older-format": "its ledger is of an older version, a new one begins",
}
_MOVE_AWAY = "find out what happened; then move the ledger (store-ledger.sqlite in the agent's state folder) away"
_ON_PURPOSE = "; if so much was changed or deleted on purpose, raise surprise_share for one night"
ROOT = "ledger-root"
VERIFIED_UP_TO = "verified-up-to"
LEAST_ORPHANS = 20
"""So few are told one by one, whatever share they are of a small store."""
