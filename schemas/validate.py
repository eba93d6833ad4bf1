"""Schema validation on the hot path: lxml, on a tree that is parsed already.

lxml stops at the first content-model error of a parent, so after a refusal the
:class:`schemas.explain.Explainer` is asked for all faults.
"""

from __future__ import annotations

import threading
from typing import Final

from lxml import etree

from schemas.catalog import Catalog, load_catalog
from schemas.errors import XMLSchemaError
from schemas.loader import load_schema

_PATH_LENGTH: Final = 200


class Validator:
    """One compiled schema; for one thread at a time, because its error log is shared."""

    def __init__(self, schema: etree.XMLSchema, name: str) -> None:
        """Hold a compiled schema and the name of the message it is for."""
        self._schema = schema
        self.name = name

    def is_valid(self, root: etree._Element) -> bool:
        """Say whether the tree fits the schema."""
        return self._schema.validate(root)

    def check(self, root: etree._Element) -> None:
        """Raise XMLSchemaError with the first breach; its text holds no content."""
        if self._schema.validate(root):
            return
        first = self._schema.error_log[0]
        path = (first.path or "")[:_PATH_LENGTH]
        raise XMLSchemaError(self.name, first.type_name, path, first.line)


class ValidatorPool:
    """Validators of one message, one for each thread that asks; compiled in about 1 ms.

    ``signature_optional`` validates messages before they are signed: the same schema, with
    ``ds:Signature`` allowed to be absent.
    """

    def __init__(
        self,
        family: str,
        edition: str,
        name: str,
        *,
        signature_optional: bool = False,
        catalog: Catalog | None = None,
    ) -> None:
        """Name what to validate; raises UnknownEditionError when there is no such set.

        Who makes many pools of one set gives its ``catalog``, which is then read only once.
        """
        self._catalog = catalog or load_catalog(family, edition)
        self._name = name
        self._signature_optional = signature_optional
        self._local = threading.local()

    def get(self) -> Validator:
        """Return this thread's validator."""
        validator: Validator | None = getattr(self._local, "validator", None)
        if validator is None:
            schema = load_schema(
                self._catalog, f"{self._name}.xsd", signature_optional=self._signature_optional
            )
            validator = self._local.validator = Validator(schema, self._name)
        return validator

    def is_valid(self, root: etree._Element) -> bool:
        """Say whether the tree fits the schema."""
        return self.get().is_valid(root)

    def check(self, root: etree._Element) -> None:
        """Raise XMLSchemaError with the first breach."""
        self.get().check(root)
