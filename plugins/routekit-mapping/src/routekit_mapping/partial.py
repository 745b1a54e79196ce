"""Partial: models of which only some fields are known, read from JSON fields and written as such."""

import json
from collections.abc import Mapping
from copy import copy
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, create_model, model_validator
from pydantic.fields import FieldInfo

from .trees import Tree

M = TypeVar("M", bound=BaseModel)


class Partial(Generic[M]):
    """A model none of whose fields is needed: a field that is not given is not set.

    Validators of fields are asked; those of the whole model are not, as it is not whole.
    """

    def __init__(self, model: type[M]) -> None:
        self.names = {json_name(info, name): name for name, info in model.model_fields.items()}
        """The fields by their names in JSON."""
        self.open = model.model_config.get("extra") == "allow"
        """Whether fields that the model does not name are kept."""
        self.model = _loosened(model)
        self._validator = self.model.__pydantic_validator__
        self._serializer = self.model.__pydantic_serializer__

    def read(self, fields: Mapping[str, Any], *, strict: bool = True) -> M:
        """A model with these fields, which are JSON values; names that it does not have are left out.

        A model that keeps extra fields gets those too. JSON decides what fits: a date is a text there. With `strict`,
        a text is no number. Raises ValueError.
        """
        given = {self.names.get(name, name): value for name, value in fields.items() if name in self.names or self.open}
        try:
            text = json.dumps(given)
        except TypeError as error:
            raise ValueError(f"not JSON: {error}") from None
        read = self._validator.validate_json(text, strict=strict, by_alias=True, by_name=True)
        return cast("M", read)

    def built(self, tree: Tree) -> M:
        """A model of what was written into a tree. Raises ValueError."""
        built = self._validator.validate_python(tree, strict=True, by_alias=False, by_name=True)
        return cast("M", built)

    def fields(self, model: BaseModel) -> dict[str, Any]:
        """The fields that are set, as JSON values by their names in JSON."""
        return self._serializer.to_python(model, mode="json", by_alias=True, exclude_unset=True)


def json_name(info: FieldInfo, name: str) -> str:
    """How a field is called in JSON: by its alias, if it has one."""
    return info.serialization_alias or name


def _loosened(model: type[BaseModel]) -> type[BaseModel]:
    """A subclass in which every field may be left out, and no validator of the whole model is asked."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        loose = copy(info)
        loose.default, loose.default_factory = None, None
        fields[name] = (info.annotation, loose)
    known = model.__pydantic_decorators__.model_validators
    validators: dict[str, Any] = {name: model_validator(mode="after")(_pass) for name in known}
    loosened = create_model(f"Partial{model.__name__}", __base__=model, __validators__=validators, **fields)
    extra = "allow" if model.model_config.get("extra") == "allow" else "ignore"
    settings: Any = {**model.model_config, "validate_default": False, "extra": extra}
    loosened.model_config = settings
    loosened.model_rebuild(force=True)
    return loosened


def _pass(self: BaseModel) -> BaseModel:
    return self
