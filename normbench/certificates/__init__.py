"""Upper bounds on the Lipschitz constant of a network, each with a witness that anyone can check.

:func:`certify` finds the tightest bound that a time limit allows; :func:`verify` checks a certificate from the weights
alone; :func:`largest_gain` says below what no bound can be. A network declared layer by layer, convolutions included,
comes to the matrices that all three take by :func:`stretches`. One module for each bound; they take a network that
:func:`plain` has checked.
"""

from normbench.certificates.certificate import Certificate, Status, from_arrays
from normbench.certificates.certify import Attempt, Certification, certify
from normbench.certificates.gain import largest_gain
from normbench.certificates.linear_maps import stretches
from normbench.certificates.plain import plain
from normbench.certificates.verify import CHECKS, verify
from normbench.errors import CertificateError

__all__ = [
    "CHECKS",
    "Attempt",
    "Certificate",
    "CertificateError",
    "Certification",
    "Status",
    "certify",
    "from_arrays",
    "largest_gain",
    "plain",
    "stretches",
    "verify",
]
