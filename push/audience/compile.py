"""The two compilers of an audience, and why somebody just misses it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from push.audience.leaves import LEAVES, Arguments, Moment, Test
from push.audience.profile import Profile
from push.audience.tree import All, AnyOf, Node, Not


def to_sql(node: Node, moment: Moment, args: Arguments) -> str:
    """A condition on ``profile p``, negated at its leaves only, all values bound; ``args`` holds the shop as ``$1``."""
    assert args.values, "the shop is bound first"
    return _sql(node, moment, args, positive=True)


def _sql(node: Node, moment: Moment, args: Arguments, *, positive: bool) -> str:
    match node:
        case Not(of=child):
            return _sql(child, moment, args, positive=not positive)
        case All(of=of) | AnyOf(of=of):
            # De Morgan: a negated "all" is an "any" of negated children.
            joined_by_and = isinstance(node, All) is positive
            if not of:
                return "true" if joined_by_and else "false"
            word = " and " if joined_by_and else " or "
            return "(" + word.join(_sql(child, moment, args, positive=positive) for child in of) + ")"
        case _:
            leaf = LEAVES[type(node)].sql(node, moment, args)
            return f"({leaf})" if positive else f"(({leaf}) is not true)"


def to_test(node: Node, moment: Moment) -> Test:
    """The same as a predicate over one profile."""
    match node:
        case Not(of=child):
            inner = to_test(child, moment)
            return lambda p: not inner(p)
        case All(of=of):
            every = tuple(to_test(child, moment) for child in of)
            return lambda p: all(test(p) for test in every)
        case AnyOf(of=of):
            some = tuple(to_test(child, moment) for child in of)
            return lambda p: any(test(p) for test in some)
        case _:
            return LEAVES[type(node)].test(node, moment)


def count_sql(shop: UUID, node: Node, moment: Moment) -> tuple[str, list[object]]:
    args = Arguments([shop])
    where = to_sql(node, moment, args)
    return f"select count(*) from profile p where p.shop_id = $1 and {where}", args.values


def one_sql(shop: UUID, shopper: UUID, node: Node, moment: Moment) -> tuple[str, list[object]]:
    """The oracle: the SQL side asked about a single shopper."""
    args = Arguments([shop, shopper], shopper="$2")
    where = to_sql(node, moment, args)
    return f"select true from profile p where p.shop_id = $1 and p.shopper_id = $2 and {where}", args.values


Misses = Callable[[Profile], tuple[Node, ...]]


def to_misses(node: Node, moment: Moment) -> Misses:
    """For one profile: the fewest conditions that would have to turn out otherwise; empty when it matches."""
    return _misses(node, moment, wanted=True)


def _misses(node: Node, moment: Moment, *, wanted: bool) -> Misses:
    match node:
        case Not(of=child):
            return _misses(child, moment, wanted=not wanted)
        case All(of=of) | AnyOf(of=of):
            children = tuple(_misses(child, moment, wanted=wanted) for child in of)
            if isinstance(node, All) is wanted:
                return lambda p: tuple(leaf for misses in children for leaf in misses(p))
            # Nothing can make an empty "any" true: it is its own near miss.
            return lambda p: min((misses(p) for misses in children), key=len, default=(node,))
        case _:
            test = LEAVES[type(node)].test(node, moment)
            return lambda p: () if test(p) is wanted else (node,)
