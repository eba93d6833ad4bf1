"""Key providers behind one Protocol: a file today, devices and services by the same call."""

from signing.keys.base import Key
from signing.keys.file import FileKey, load_file, load_pem, load_pkcs12
from signing.keys.new import NewKey, new_development_key

__all__ = [
    "FileKey",
    "Key",
    "NewKey",
    "load_file",
    "load_pem",
    "load_pkcs12",
    "new_development_key",
]
