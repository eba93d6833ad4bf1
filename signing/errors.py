"""Every error of the package, one tree.

::

    SigningError
    ├── SettingError               SIGN-1xx  what the caller configured cannot work
    │   ├── ProfileMismatch        SIGN-101
    │   └── PolicyInvalid          SIGN-102
    ├── SigningKeyError            SIGN-2xx  the key, its file or its device
    │   ├── KeyFileUnreadable      SIGN-201
    │   ├── PassphraseWrong        SIGN-202
    │   ├── CertificateMissing     SIGN-203
    │   ├── PrivateKeyMissing      SIGN-204
    │   ├── CertificateMismatch    SIGN-205
    │   ├── KeyUnsupported         SIGN-206
    │   ├── ProviderMissing        SIGN-207
    │   ├── KeyFailed              SIGN-208
    │   ├── CertificateUnreadable  SIGN-209
    │   └── KeyNameInvalid         SIGN-210
    ├── DocumentError              SIGN-3xx  the document to be signed, or what was just signed
    │   ├── DocumentUnreadable     SIGN-301
    │   ├── DocumentNotCanonical   SIGN-302
    │   ├── RootUnusual            SIGN-303
    │   ├── RootNotSignable        SIGN-304
    │   ├── AlreadySigned          SIGN-305
    │   ├── CarriageReturnKept     SIGN-306
    │   └── SelfCheckFailed        SIGN-307
    └── VerificationError          SIGN-4xx  a signed document that is refused
        ├── StructureError         SIGN-40x, 41x, each way of not being the one enveloped signature
        ├── AlgorithmError         SIGN-42x
        ├── ValueMalformed         SIGN-43x
        ├── CertificateError       SIGN-44x
        └── MismatchError          SIGN-45x

The first paragraph of a class's docstring is its message. Texts and details hold element names,
URIs of algorithms and counts, never a value of the document, a name or a certificate.
"""

from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """Whether doing the same again can help."""

    NEVER = "never"
    LATER = "later"
    UNKNOWN_OUTCOME = "unknown-outcome"


class SigningError(Exception):
    """Signing or verifying failed."""

    code: ClassVar[str] = "SIGN-000"
    retry: ClassVar[Retry] = Retry.NEVER

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        text = " ".join((type(self).__doc__ or type(self).__name__).split("\n\n")[0].split())
        super().__init__(f"{text} ({detail})" if detail else text)


class SettingError(SigningError):
    """What the caller configured cannot work."""

    code = "SIGN-100"


class ProfileMismatch(SettingError):
    """The certificate's key is of another kind than the profile demands."""

    code = "SIGN-101"


class PolicyInvalid(SettingError):
    """The verification policy is incomplete or contradicts itself."""

    code = "SIGN-102"


class SigningKeyError(SigningError):
    """The signing key cannot be used."""

    code = "SIGN-200"


class KeyFileUnreadable(SigningKeyError):
    """The key file is neither PEM nor PKCS#12, or is damaged."""

    code = "SIGN-201"


class PassphraseWrong(SigningKeyError):
    """The passphrase of the key file is wrong or missing."""

    code = "SIGN-202"


class CertificateMissing(SigningKeyError):
    """The key file holds no certificate."""

    code = "SIGN-203"


class PrivateKeyMissing(SigningKeyError):
    """The key file holds no private key."""

    code = "SIGN-204"


class CertificateMismatch(SigningKeyError):
    """No certificate of the key file belongs to its private key."""

    code = "SIGN-205"


class KeyUnsupported(SigningKeyError):
    """No customs profile knows this kind or size of key."""

    code = "SIGN-206"


class ProviderMissing(SigningKeyError):
    """SM2 needs the libcrypto provider, which is not installed in this build."""

    code = "SIGN-207"


class KeyFailed(SigningKeyError):
    """The key did not produce a signature of the right form."""

    code = "SIGN-208"
    retry = Retry.LATER


class CertificateUnreadable(SigningKeyError):
    """The certificate cannot be read."""

    code = "SIGN-209"


class KeyNameInvalid(SigningKeyError):
    """The key name is not 1 to 40 letters and digits."""

    code = "SIGN-210"


class DocumentError(SigningError):
    """The document cannot be signed."""

    code = "SIGN-300"


class DocumentUnreadable(DocumentError):
    """The document was refused by the XML loader; the cause says why."""

    code = "SIGN-301"


class DocumentNotCanonical(DocumentError):
    """The document was promised to be canonical and is not."""

    code = "SIGN-302"


class RootUnusual(DocumentError):
    """The root must declare the namespaces ceb and xsi and nothing else."""

    code = "SIGN-303"


class RootNotSignable(DocumentError):
    """No signature can be placed before the root's end tag."""

    code = "SIGN-304"


class AlreadySigned(DocumentError):
    """The document already holds a signature."""

    code = "SIGN-305"


class CarriageReturnKept(DocumentError):
    """The document holds a carriage return that survives parsing; strip it before signing."""

    code = "SIGN-306"


class SelfCheckFailed(DocumentError):
    """What was just signed does not pass the check of our own output."""

    code = "SIGN-307"


class VerificationError(SigningError):
    """The signed document is refused."""

    code = "SIGN-400"


class StructureError(VerificationError):
    """The document does not hold the one enveloped signature at its place."""

    code = "SIGN-419"


class SignatureMissing(StructureError):
    """The document holds no signature."""

    code = "SIGN-401"


class SignatureRepeated(StructureError):
    """The document holds more than one signature."""

    code = "SIGN-402"


class SignatureMisplaced(StructureError):
    """The signature is not the last child of the root."""

    code = "SIGN-403"


class WhitespaceRefused(StructureError):
    """White space stands in or after the signature."""

    code = "SIGN-404"


class CommentRefused(StructureError):
    """A comment stands inside the signature."""

    code = "SIGN-405"


class InstructionRefused(StructureError):
    """The document holds a processing instruction."""

    code = "SIGN-406"


class SignedInfoRepeated(StructureError):
    """The signature does not hold exactly one SignedInfo."""

    code = "SIGN-407"


class ReferenceRepeated(StructureError):
    """SignedInfo does not hold exactly one Reference."""

    code = "SIGN-408"


class ReferenceForeign(StructureError):
    """The reference does not point at the whole document."""

    code = "SIGN-409"


class TransformRefused(StructureError):
    """The reference has other transforms than the enveloped signature alone."""

    code = "SIGN-410"


class ObjectRefused(StructureError):
    """The signature holds an Object."""

    code = "SIGN-411"


class ElementRefused(StructureError):
    """The signature holds other elements or attributes than the profile's."""

    code = "SIGN-412"


class KeyInfoRefused(StructureError):
    """KeyInfo is not one KeyName and one X509Certificate."""

    code = "SIGN-413"


class RootUnexpected(StructureError):
    """The root is another element than the policy expects."""

    code = "SIGN-414"


class InheritedAttribute(StructureError):
    """An xml: attribute of the root would be inherited by the signed bytes."""

    code = "SIGN-415"


class UnreadableDocument(StructureError):
    """The document was refused by the XML loader; the cause says why."""

    code = "SIGN-416"


class TextRefused(StructureError):
    """Text stands between the elements of the signature."""

    code = "SIGN-417"


class StrayElement(StructureError):
    """An element of the signature namespace stands outside the signature."""

    code = "SIGN-418"


class AlgorithmError(VerificationError):
    """The document was signed by an algorithm that is not allowed."""

    code = "SIGN-420"


class CanonicalizationRefused(AlgorithmError):
    """The canonicalisation is not the profile's."""

    code = "SIGN-421"


class SignatureMethodRefused(AlgorithmError):
    """No allowed profile has this signature method."""

    code = "SIGN-422"


class DigestMethodRefused(AlgorithmError):
    """The digest method is not the one of the signature's profile."""

    code = "SIGN-423"


class WeakAlgorithmRefused(AlgorithmError):
    """The profile's digest is weak and the policy does not allow it at this time."""

    code = "SIGN-424"


class ValueMalformed(VerificationError):
    """A value of the signature is malformed."""

    code = "SIGN-430"


class DigestMalformed(ValueMalformed):
    """DigestValue is not base64 of a digest's length."""

    code = "SIGN-431"


class SignatureMalformed(ValueMalformed):
    """SignatureValue is not base64 of a signature's length."""

    code = "SIGN-432"


class CertificateMalformed(ValueMalformed):
    """X509Certificate is not base64 of one certificate."""

    code = "SIGN-433"


class CertificateError(VerificationError):
    """The certificate is not accepted."""

    code = "SIGN-440"


class CertificateUntrusted(CertificateError):
    """The certificate is neither pinned nor issued by a trusted issuer."""

    code = "SIGN-441"


class CertificateNotYetValid(CertificateError):
    """The certificate was not yet valid at the time of signing."""

    code = "SIGN-442"


class CertificateExpired(CertificateError):
    """The certificate was no longer valid at the time of signing."""

    code = "SIGN-443"


class KeyUsageRefused(CertificateError):
    """The certificate does not allow its key to sign, or its issuer to issue."""

    code = "SIGN-444"


class KeyNameMismatch(CertificateError):
    """KeyName is not the serial number of the certificate."""

    code = "SIGN-445"


class KeyKindRefused(CertificateError):
    """The certificate's key does not fit the profile of the signature."""

    code = "SIGN-446"


class MismatchError(VerificationError):
    """The cryptographic check failed."""

    code = "SIGN-450"


class DigestMismatch(MismatchError):
    """The document was changed: its digest is not the signed one."""

    code = "SIGN-451"


class SignatureMismatch(MismatchError):
    """The signature does not belong to SignedInfo and the certificate's key."""

    code = "SIGN-452"
