"""What every answer is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Day = Annotated[str, Field(json_schema_extra={"format": "date"})]
Taken = Literal["accepted", "unchanged", "superseded", "unlinked"]


class Out(BaseModel):
    """Closed: an answer holds nothing that is not documented.

    Only the OpenAPI document asks for the types' schemas: they are built when it does.
    """

    model_config = ConfigDict(extra="forbid", use_enum_values=True, defer_build=True)
