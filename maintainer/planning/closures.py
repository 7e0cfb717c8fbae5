"""The days on which no window opens: blackouts, public holidays, and days that a zone does not have."""

import datetime as dt
from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo

from maintainer.errors import UsageError
from maintainer.model.inventory import Site
from maintainer.planning.wall_clock import is_skipped_day


def closed_because(day: dt.date, site: Site) -> str:
    """Say why no window opens on this day; nothing when windows open as usual.

    Raises:
        UsageError: the site's holidays are of a country or region that nobody knows.

    >>> closed_because(dt.date(2026, 7, 14), Site(name="demo", timezone="Europe/Paris", holidays="FR"))
    'public holiday: National Day (FR)'
    """
    if is_skipped_day(day, ZoneInfo(site.timezone)):
        return f"{day} does not exist in {site.timezone}"
    blackout = next((b for b in site.blackouts if b.first <= day <= b.last), None)
    if blackout:
        return f"blackout: {blackout.why}"
    holiday = public_holidays(site.holidays, day.year).get(day) if site.holidays else None
    return f"public holiday: {holiday} ({site.holidays})" if holiday else ""


@cache
def public_holidays(code: str, year: int) -> Mapping[dt.date, str]:
    """Return the holidays, in English, of a country (`FR`) or of a country and region (`DE-BY`).

    Raises:
        UsageError: nobody knows the country or the region.
    """
    # It costs 40 ms to import, and many sites have no holidays in their inventory.
    import holidays  # noqa: PLC0415 (see above)

    country, _, region = code.partition("-")
    try:
        return dict(holidays.country_holidays(country, subdiv=region or None, years=year, language="en_US"))
    except NotImplementedError:
        raise UsageError(
            f"no public holidays are known for {code!r}",
            where="[site] holidays",
            hint="write a country such as FR, or a country and region such as DE-BY; or leave it out",
        ) from None
