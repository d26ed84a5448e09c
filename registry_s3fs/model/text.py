"""How names, sizes and times are written for people. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024


def printable(text: str) -> str:
    r"""Return text in one line, with escapes in the place of all that a terminal would obey or not show.

    The names of a bucket are strangers'. An escape sequence in one could clear the screen, or show another name.

    >>> printable("team/app"), printable("größe 大")
    ('team/app', 'größe 大')
    >>> print(printable("a\x1b[2Jb\nc\u202ed"))
    a\x1b[2Jb\nc\u202ed
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def size_text(count: int) -> str:
    """Return a number of bytes in IEC units, with one digit behind the point.

    >>> size_text(0), size_text(1023), size_text(1536), size_text(1024**2 - 1), size_text(5 * 1024**4)
    ('0 B', '1023 B', '1.5 KiB', '1.0 MiB', '5.0 TiB')
    """
    if abs(count) < _STEP:
        return f"{count} B"
    amount, unit = float(count), 0
    while round(abs(amount), 1) >= _STEP and unit < len(UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f} {UNITS[unit]}"


def utc_text(time: datetime) -> str:
    """Return a time in UTC as ISO 8601 writes it, with microseconds only where there are any.

    >>> utc_text(datetime(2026, 11, 24, 8, 57, 54, tzinfo=timezone(timedelta(hours=1))))
    '2026-11-24T07:57:54Z'
    """
    return in_utc(time).replace(tzinfo=None).isoformat() + "Z"


def time_text(time: datetime) -> str:
    """Return a time in UTC for people, to the second.

    >>> time_text(datetime(2026, 11, 24, 7, 57, 54, 123, timezone.utc))
    '2026-11-24 07:57:54'
    """
    return in_utc(time).strftime("%Y-%m-%d %H:%M:%S")


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC. One without a zone counts as UTC, and so does one that would leave the calendar.

    >>> in_utc(datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))).year
    9999
    """
    try:
        return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
    except OverflowError:
        return time.replace(tzinfo=timezone.utc)


def time_of(seconds: float) -> datetime | None:
    """Return the time that seconds since 1970 mean, or None where no datetime can hold it.

    >>> time_of(0), time_of(1e18), time_of(float("nan"))
    (datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), None, None)
    """
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None


def age_text(age: timedelta) -> str:
    """Return how long something lasted in the largest unit that fits.

    >>> age_text(timedelta(seconds=59)), age_text(timedelta(hours=47)), age_text(timedelta(days=800))
    ('59s', '47h', '800d')
    """
    seconds = int(age.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= 2 * length:
            return f"{int(seconds / length)}{unit}"
    return f"{seconds}s"


def counted(count: int, noun: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "blob"), counted(2000, "key"), counted(0, "repository")
    ('1 blob', '2000 keys', '0 repositories')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeou" else noun + "s"
    return f"{count} {noun if count == 1 else plural}"
