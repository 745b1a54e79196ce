"""What the variables of OpenTelemetry say, and what is said to somebody who has misspelt one."""

import subprocess
import sys

import pytest

from routekit import BadOption
from routekit_opentelemetry.providing import Sampling, sampling


@pytest.mark.parametrize(
    ("name", "share", "expected"),
    [
        (None, None, Sampling(1.0, True)),
        ("always_off", None, Sampling(0.0, False)),
        ("traceidratio", "0.25", Sampling(0.25, False)),
        ("parentbased_traceidratio", "0.01", Sampling(0.01, True)),
    ],
)
def test_sampling(name: str | None, share: str | None, expected: Sampling):
    """The names are those of OpenTelemetry; without one all messages are followed, but those of unfollowed senders."""
    given = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": share}
    assert sampling({key: value for key, value in given.items() if value is not None}) == expected


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"OTEL_TRACES_SAMPLER": "always"}, "OTEL_TRACES_SAMPLER is 'always'", "did you mean"),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1 %"},
            "is '1 %'",
            "a share from 0.0 to 1.0",
        ),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "nan"}, "is 'nan'", "a share"),
    ],
)
def test_a_slip(environ: dict[str, str], message: str, hint: str):
    """A value that means nothing is an error that says what would."""
    with pytest.raises(BadOption, match=message) as failure:
        sampling(environ)
    assert hint in (failure.value.hint or "")


PROGRAM = """
import sys
from routekit import from_
from routekit.testing import Feed, run_routes
import anyio
anyio.run(lambda: run_routes(shop=from_(Feed([1]), int).transform(str)))
print("opentelemetry.sdk" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(("exporter", "imported"), [(None, False), ("console", True), ("none", True)])
def test_the_sdk_is_there_only_where_spans_are_wanted(exporter: str | None, imported: bool):
    """Without a variable of OpenTelemetry nothing of it is loaded; with an exporter, spans go there."""
    environ = {} if exporter is None else {"OTEL_TRACES_EXPORTER": exporter}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == str(imported)
    assert ('"name": "transform(str)"' in done.stdout) is (exporter == "console")
