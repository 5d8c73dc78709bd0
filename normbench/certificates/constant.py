"""The bound 0: every path of weights from the inputs to the outputs has a zero in it."""

from normbench.certificates.certificate import Certificate

KIND = "constant"


def constant() -> Certificate:
    """The certificate of a network that :attr:`normbench.certificates.plain.Plain.is_constant`; its witness is empty.

    Examples
    --------
    >>> constant().bound
    0.0
    """
    return Certificate(KIND, 0.0)
