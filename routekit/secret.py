"""The contract of who keeps secrets: a file, the system's keyring, a vault."""

from abc import abstractmethod

from pydantic import BaseModel, ConfigDict


class SecretProvider(BaseModel):
    """Who gives the values of `${name:reference}`: a frozen pydantic model whose fields are its options.

    The options are those of the table `[secrets.name]`; passwords among them are `SecretStr`, so that nothing prints
    them. One is made for a run, when the first secret of its name is asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def secret(self, reference: str) -> str:
        """The value of a reference, such as `crm/password`; plain, blocking code, asked once for each reference.

        It is asked before anything runs, and has to answer or fail within seconds. Raises UnknownName if there is no
        such secret, BadOption for a reference that cannot be one, and Unavailable while whoever has the secrets is
        away; `hint` says what to do, and no error shows a value.
        """
