"""The site's clock and calendar: names that only this machine's data can confirm."""

import datetime as dt
import difflib
import zoneinfo
from collections.abc import Iterator, Mapping

from maintainer.inventory_file.draft import Draft, wrong_value
from maintainer.inventory_file.problems import Problem, show
from maintainer.model.task import AnyTask

_NOT_A_PLACE = {"localtime", "Factory", "posixrules"}  # they mean something else on each machine


def check_timezone(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    name = draft.text("site", "timezone")
    if name is None or _is_zone(name):
        return
    known = sorted(zoneinfo.available_timezones() - _NOT_A_PLACE)
    if not known:
        yield wrong_value(("site", "timezone"), "this machine knows no time zones: install the package tzdata")
        return
    close = _nearest_zone(name, known)
    example = "" if close else "; write a place, such as Europe/Paris"
    yield wrong_value(
        ("site", "timezone"), f"{show(name)} is not a time zone{example}", close, (close,) if close else ()
    )


def check_holidays(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    code = draft.text("site", "holidays")
    if code is None:
        return
    import holidays  # noqa: PLC0415 (slow to import, and most inventories do without)

    country, _dash, region = code.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        what = f"the holidays of {show(code)} are not known; write a country such as FR or a region such as DE-BY"
        yield wrong_value(("site", "holidays"), what, country.upper(), tuple(c for c in known if c == country.upper()))
    elif "-" in code and region not in known[country]:
        what = f"the holidays of {country} are known, but not those of its region {show(region)}"
        yield wrong_value(("site", "holidays"), what, region, tuple(known[country]))


def check_blackouts(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    blackouts = draft.value("site", "blackouts")
    for number in range(len(blackouts) if isinstance(blackouts, list) else 0):
        path = ("site", "blackouts", number)
        first, last = draft.value(*path, "from"), draft.value(*path, "to")
        if isinstance(first, dt.date) and isinstance(last, dt.date) and first > last:
            yield wrong_value((*path, "to"), f"{last} is before {first}, the day on which it begins")


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return name not in _NOT_A_PLACE


def _nearest_zone(name: str, known: list[str]) -> str:
    """Guess by the city alone too: `Paris` means Europe/Paris."""
    cities = [zone for zone in known if zone.rpartition("/")[2].lower() == name.lower()]
    return next(iter(cities or difflib.get_close_matches(name[:64], known, n=1)), "")
