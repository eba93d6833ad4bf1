"""Key providers behind one Protocol: files, tokens, UKeys and remote services."""

from signing.keys.base import Key
from signing.keys.file import FileKey, load_file, load_pem, load_pkcs12
from signing.keys.late import LateKey
from signing.keys.new import NewKey, new_development_key
from signing.keys.pin import Pin
from signing.keys.pkcs11 import PKCS11Key, PKCS11Settings, open_pkcs11
from signing.keys.remote import RemoteKey, RemoteSettings
from signing.keys.ukey import UKey, UKeyAgent, UKeySettings, open_ukey

__all__ = [
    "FileKey",
    "Key",
    "LateKey",
    "NewKey",
    "PKCS11Key",
    "PKCS11Settings",
    "Pin",
    "RemoteKey",
    "RemoteSettings",
    "UKey",
    "UKeyAgent",
    "UKeySettings",
    "load_file",
    "load_pem",
    "load_pkcs12",
    "new_development_key",
    "open_pkcs11",
    "open_ukey",
]
