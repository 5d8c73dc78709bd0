"""scikit-learn estimators whose networks have a certified Lipschitz bound in the units of the user's table."""

from normbench.estimators.classifier import LipschitzClassifier
from normbench.estimators.dead import DeadNetworkWarning
from normbench.estimators.regressor import LipschitzRegressor

__all__ = ["DeadNetworkWarning", "LipschitzClassifier", "LipschitzRegressor"]
