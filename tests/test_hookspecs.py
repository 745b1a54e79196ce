"""The hooks, on one page."""

import inspect

from routekit import hookspecs

HOOKS = [
    value
    for name, value in vars(hookspecs).items()
    if inspect.isfunction(value) and value.__module__ == hookspecs.__name__ and hasattr(value, "routekit_spec")
]


def test_every_hook_is_documented() -> None:
    """A specification's docstring is its only documentation."""
    assert {hook.__name__ for hook in HOOKS} >= {
        "register_endpoints",
        "register_codecs",
        "register_stores",
        "register_secrets",
        "register_twins",
        "route_event",
        "observe_route",
    }
    assert all(hook.__doc__ for hook in HOOKS)


def test_the_core_registers_by_the_hooks_that_strangers_have() -> None:
    """Each in-process endpoint, codec and store is a module with a hook implementation."""
    from importlib import import_module
    from importlib.metadata import entry_points

    own = [point for point in entry_points(group=hookspecs.GROUP) if point.module.startswith("routekit.")]
    assert len(own) >= 12
    names = {hook.__name__ for hook in HOOKS}
    for point in own:
        found = names & set(vars(import_module(point.module)))
        assert any(hasattr(getattr(import_module(point.module), name), "routekit_impl") for name in found), point
