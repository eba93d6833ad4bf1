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
    │   ├── KeyNameInvalid         SIGN-210
    │   ├── AgentUnreachable       SIGN-211
    │   ├── DeviceSlow             SIGN-212
    │   ├── DeviceMissing          SIGN-213
    │   ├── PinWrong               SIGN-214
    │   ├── PinLocked              SIGN-215
    │   ├── ReaderReset            SIGN-216
    │   ├── CallRefused            SIGN-217
    │   ├── DeviceFailed           SIGN-218
    │   ├── ReplyForeign           SIGN-219
    │   ├── SignatureIsDER         SIGN-220
    │   ├── SignatureForeign       SIGN-221
    │   ├── AccessRefused          SIGN-222
    │   ├── KeyExpired             SIGN-223
    │   ├── KeyNotYetValid         SIGN-224
    │   ├── EnterpriseForeign      SIGN-225
    │   ├── KeyDoubted             SIGN-226
    │   └── RingError              SIGN-230
    │       ├── NoKeyReady         SIGN-231
    │       ├── DeadlinePassed     SIGN-232
    │       └── RingFull           SIGN-233
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


class Reaction(StrEnum):
    """Who has to do something about a key that failed."""

    NONE = "none"
    RETRY = "retry"
    OPERATOR = "operator"
    BUG = "bug"


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
    """The signing key cannot be used.

    `reaction` says who must act: nobody but the next try, an operator, or a programmer.
    """

    code = "SIGN-200"
    reaction: ClassVar[Reaction] = Reaction.OPERATOR


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
    """A provider that this key needs is missing on this system; the detail says which."""

    code = "SIGN-207"


class KeyFailed(SigningKeyError):
    """The key did not produce a signature of the right form."""

    code = "SIGN-208"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class CertificateUnreadable(SigningKeyError):
    """The certificate cannot be read."""

    code = "SIGN-209"


class KeyNameInvalid(SigningKeyError):
    """The key name is not 1 to 40 letters and digits."""

    code = "SIGN-210"


class AgentUnreachable(SigningKeyError):
    """The UKey agent or signing service cannot be reached; start it, or check its address."""

    code = "SIGN-211"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class DeviceSlow(SigningKeyError):
    """The device or service did not answer in time; what it may still answer is thrown away."""

    code = "SIGN-212"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class DeviceMissing(SigningKeyError):
    """No key is in the reader, or not the one expected; put it in."""

    code = "SIGN-213"
    retry = Retry.LATER


class PinWrong(SigningKeyError):
    """The device refuses the PIN; it is not tried again before the setting was changed."""

    code = "SIGN-214"


class PinLocked(SigningKeyError):
    """The PIN of the device is locked; have it unlocked by its issuer."""

    code = "SIGN-215"


class ReaderReset(SigningKeyError):
    """The card reader could not be reset; restart the agent."""

    code = "SIGN-216"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class CallRefused(SigningKeyError):
    """The device or service calls our request faulty."""

    code = "SIGN-217"
    reaction = Reaction.BUG


class DeviceFailed(SigningKeyError):
    """The device reports a failure that is not known to pass."""

    code = "SIGN-218"


class ReplyForeign(SigningKeyError):
    """The device answered something other than what was asked."""

    code = "SIGN-219"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class SignatureIsDER(SigningKeyError):
    """The signature is DER where raw r and s are due; set the key to convert it."""

    code = "SIGN-220"


class SignatureForeign(SigningKeyError):
    """The signature made does not belong to the key's certificate."""

    code = "SIGN-221"


class AccessRefused(SigningKeyError):
    """The signing service refuses our credentials."""

    code = "SIGN-222"


class KeyExpired(SigningKeyError):
    """The certificate of the key is no longer valid."""

    code = "SIGN-223"


class KeyNotYetValid(SigningKeyError):
    """The certificate of the key is not valid yet; check the clock first."""

    code = "SIGN-224"
    retry = Retry.LATER


class EnterpriseForeign(SigningKeyError):
    """The certificate of the key belongs to another enterprise than the one that files."""

    code = "SIGN-225"


class KeyDoubted(SigningKeyError):
    """The receiver refused what the key signed; a person must settle that, then readmit the key."""

    code = "SIGN-226"


class RingError(SigningKeyError):
    """The key ring could not have the document signed."""

    code = "SIGN-230"
    retry = Retry.LATER
    reaction = Reaction.RETRY


class NoKeyReady(RingError):
    """No key of the ring can sign now; the work waits."""

    code = "SIGN-231"


class DeadlinePassed(RingError):
    """No key of the ring was free before the deadline; the work waits."""

    code = "SIGN-232"


class RingFull(RingError):
    """Too much work waits for the keys of the ring; try again later."""

    code = "SIGN-233"


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


class ChainTooLong(CertificateError):
    """The certificate's chain has more members than the policy allows."""

    code = "SIGN-447"


class MismatchError(VerificationError):
    """The cryptographic check failed."""

    code = "SIGN-450"


class DigestMismatch(MismatchError):
    """The document was changed: its digest is not the signed one."""

    code = "SIGN-451"


class SignatureMismatch(MismatchError):
    """The signature does not belong to SignedInfo and the certificate's key."""

    code = "SIGN-452"
