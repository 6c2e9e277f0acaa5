"""Which address a LoadBalancer Service gets."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from netlab.model import addresses
from netlab.model.errors import LabError
from netlab.model.family import family_of
from netlab.model.lab_spec import Balancing


class NoAddress(LabError):
    """The pool cannot give what is wanted."""


class NoneLeft(NoAddress):
    """The pool has no address of a family, or none any more."""


def in_pool(balancing: Balancing, text: str) -> bool:
    """Whether the pool has that address."""
    if not addresses.is_ip(text):
        return False
    number = int(addresses.parse(text))
    return any(int(first) <= number <= int(last) for first, last in balancing.of(family_of(text)))


def give_each(balancing: Balancing, taken: Collection[str], *, families: Sequence[str], wanted: str = "",
              present: Sequence[str] = (), partly: bool = False) -> tuple[str, ...]:
    """An address of each family, as `give` chooses it; `wanted` is of one of them.

    `partly` leaves out families of which the pool has nothing left, unless that is all of them.
    """
    if wanted and addresses.is_ip(wanted) and family_of(wanted) not in families:
        raise NoAddress(f"requested address {wanted} is {family_of(wanted)}, and the service has "
                        f"{' and '.join(families)} only")
    found: list[str] = []
    failures: list[NoneLeft] = []
    for family in families:
        try:
            found.append(give(balancing, taken, family=family,
                              wanted=wanted if not addresses.is_ip(wanted) or family_of(wanted) == family else "",
                              present=next((one for one in present if family_of(one) == family), "")))
        except NoneLeft as error:
            failures.append(error)
    if failures and not (partly and found):
        raise failures[0]
    return tuple(found)


def kept(balancing: Balancing, taken: Collection[str], *, families: Sequence[str], present: Sequence[str],
         ) -> tuple[str, ...]:
    """What a Service goes on to have when it cannot get all that it wants."""
    return tuple(one for family in families for one in present
                 if family_of(one) == family and one not in taken and in_pool(balancing, one))


def give(balancing: Balancing, taken: Collection[str], *, family: str, wanted: str = "", present: str = "") -> str:
    """An address that nobody has: the one that the Service asks for, else the one it has, else the family's first free
    one.

    `taken` are those of other Services. NoAddress says why there is none.
    """
    if family not in balancing.families:
        raise NoneLeft(f"the pool {describe(balancing)} has no {family} addresses")
    if wanted:
        if not in_pool(balancing, wanted):
            raise NoAddress(f"requested address {wanted} is not in the pool {describe(balancing)}")
        text = str(addresses.parse(wanted))
        if text in taken:
            raise NoAddress(f"requested address {text} is in use by another service")
        return text
    if present and present not in taken and in_pool(balancing, present):
        return present
    for first, last in balancing.of(family):
        for number in range(int(last) - int(first) + 1):
            text = str(first + number)
            if text not in taken:
                return text
    raise NoneLeft(f"no address left in the pool {describe(balancing, family)}")


def describe(balancing: Balancing, family: str = "") -> str:
    """The pool's ranges as text, or those of a family."""
    ranges = balancing.of(family) if family else balancing.ranges
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in ranges)
