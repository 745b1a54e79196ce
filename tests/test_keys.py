"""Keys as text: the same in every process, and different for different keys."""

import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import BodyError
from routekit.keys import key_text

keys = st.recursive(
    st.text(st.characters(exclude_characters=":"), min_size=1)
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.binary()
    | st.dates(),
    lambda inner: st.tuples(inner, inner),
    max_leaves=4,
)


@given(keys, keys)
def test_different_keys_have_different_texts(one: Any, other: Any) -> None:
    """Also 1, "1", 1.0 and True, and tuples of them."""
    assert (key_text(one, str) == key_text(other, str)) == (repr(one) == repr(other))


@pytest.mark.parametrize("key", [None, "", object(), {"a", "b"}, frozenset({1})])
def test_a_key_that_would_never_come_again_is_refused(key: Any) -> None:
    """Nothing, an object that prints its address, and a set, whose order is another one in each process."""
    with pytest.raises(BodyError, match="str"):
        key_text(key, str)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_key_is_the_same_in_every_process(seed: str) -> None:
    """Whatever Python's own hash of texts is there."""
    say = "from decimal import *; from routekit.keys import key_text; print(key_text(('ann', 7, Decimal('1.50')), str))"
    done = subprocess.run(
        [sys.executable, "-c", say], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
    )
    assert done.stdout.strip() == key_text(("ann", 7, Decimal("1.50")), str)
