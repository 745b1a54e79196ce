"""`routekit explain-errors`."""

from typing import Any

import pytest

SHOP = '''"""Orders are booked."""

from routekit import Policy, Retry, Unavailable, from_, rescue


class Closed(Exception):
    pass


policy = Policy(retry=Retry(3, on=Unavailable))

orders = (
    from_("timer:orders?every=10ms", int, policy=Policy(rescue={Closed: rescue(lambda order: order.to("mock:closed"))}))
    .attempt(
        lambda order: order.to("direct:booking", retry=Retry(2, on=Unavailable)),
        rescue={KeyError: lambda order: order.log("no such thing, and a text that is long enough for one line more")},
    )
    .to("mock:done")
)

booking = from_("direct:booking", int).log("booked {body}")
'''


@pytest.fixture
def shop(routekit: Any) -> Any:
    routekit.write("routes/shop.py", SHOP)
    return routekit


def test_one_step(shop: Any) -> None:
    """Each group of classes with what is done, one thing below the other, and the called route with what comes then."""
    done = shop("explain-errors", "shop.orders", "2")
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
shop.orders  (routes/shop.py:13)

2 to direct:booking
  Exception, Rejected, BodyError
    ends    a dead letter in the store
    source  acknowledged
  Closed
    rescue  route, Closed (routes/shop.py:13): its branch gives the reply, and
            the message is done
    source  acknowledged
  KeyError
    rescue  attempt (1), KeyError (routes/shop.py:14): its branch, then on
            behind the attempt
    source  what comes of the steps that follow
  Unavailable
    retry   this step: 2 times, after at most 0.5 s, 1 s
    retry   module: 3 times, after at most 0.5 s, 1 s, 2 s
    ends    a dead letter in the store
    source  acknowledged

shop.booking  (routes/shop.py:21), called by shop.orders at 2 to direct:booking

0 from direct:booking
1 log('booked {body}')
  Exception, Rejected, BodyError
    raised  shop.orders: at 2 to direct:booking
    ends    a dead letter in the store
    source  acknowledged
  Closed
    raised  shop.orders: at 2 to direct:booking
    rescue  route, Closed (routes/shop.py:13): its branch gives the reply, and
            the message is done
    source  acknowledged
  KeyError
    raised  shop.orders: at 2 to direct:booking
    rescue  attempt (1), KeyError (routes/shop.py:14): its branch, then on
            behind the attempt
    source  what comes of the steps that follow
  Unavailable
    retry   module: 3 times, after at most 0.5 s, 1 s, 2 s
    raised  shop.orders: at 2 to direct:booking
    retry   this step: 2 times, after at most 0.5 s, 1 s
    retry   module: 3 times, after at most 0.5 s, 1 s, 2 s
    ends    a dead letter in the store
    source  acknowledged
"""
    )


def test_all_steps_fit_a_narrow_terminal(shop: Any) -> None:
    """Steps that are alike stand together, and no line is longer than 80 columns."""
    out = shop("explain-errors", "shop.orders").out
    assert "0 from timer:orders?every=10ms\n1 attempt\n3 log(" in out
    assert max(map(len, (line for line in out.splitlines() if "log('no such" not in line))) <= 80


def test_one_class(shop: Any) -> None:
    """Any that is loaded, also one of the routes' own."""
    assert (
        shop("explain-errors", "shop.booking", "--error", "Closed").out
        == """\
shop.booking  (routes/shop.py:21)

0 from direct:booking
1 log('booked {body}')
  Closed
    ends    refused
    source  the caller gets the error
"""
    )


def test_as_json(shop: Any) -> None:
    """The same as data."""
    (section,) = shop("explain-errors", "shop.booking", "1", "--error", "Unavailable", "--as", "json").json
    assert section == {
        "route": "shop.booking",
        "place": "routes/shop.py:21",
        "caller": "",
        "steps": [{"number": 1, "label": "log('booked {body}')", "place": "routes/shop.py:21"}],
        "errors": [
            {
                "errors": ["Unavailable"],
                "remedies": [
                    {
                        "kind": "retry",
                        "scope": "module",
                        "clause": "",
                        "when": "",
                        "place": "",
                        "text": "3 times, after at most 0.5 s, 1 s, 2 s",
                    },
                    {"kind": "ends", "scope": "", "clause": "", "when": "", "place": "", "text": "refused"},
                ],
                "source": "the caller gets the error",
            }
        ],
    }


def test_settings_are_a_scope(shop: Any) -> None:
    """Their retries hold where nobody else says anything."""
    shop.write("routes/plain.py", 'from routekit import from_\nplain = from_("timer:x").log("x")\n')
    out = shop("--set", "retries=1", "explain-errors", "plain.plain", "1", "--error", "OSError").out
    assert "    retry   settings: 1 time, after at most 0.5 s\n" in out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["shop.order"], "there is no route 'shop.order'\n  did you mean 'shop.orders'?"),
        (["shop.orders", "9"], "there is no step '9'\n  give a number: 0 from timer:orders?every=10ms, 1 attempt, "),
        (["shop.orders", "--error", "Clsoed"], "there is no class of errors 'Clsoed'\n  did you mean 'Closed'?"),
    ],
)
def test_what_does_not_exist(shop: Any, arguments: list[str], error: str) -> None:
    """Is answered with what there is, and exit code 2."""
    done = shop("explain-errors", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {error}")
