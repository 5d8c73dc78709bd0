"""What is wrong with a text of ``--set`` or ``--grid`` is said with that text, so that one of several is found."""

import pytest

from normbench.campaigns.settings import Settings
from normbench.errors import InvalidArgumentError, called_by_options

NADAM = "torch.optim:NAdam"
FINE = "adam.beta2=0.5"


@pytest.mark.parametrize(
    ("settings", "grids", "said"),
    [
        (["adam.beta1=2"], [], "--set adam.beta1=2: beta1 must lie in [0, 1]; got 2.0."),
        (["adam.lr=fast"], [], "--set adam.lr=fast: learning_rate must be a number; got 'fast'."),
        (["adam.bta1=0.5"], [], "--set adam.bta1=0.5: adam has no hyperparameter 'bta1'. Did you mean 'beta1'?"),
        (["sgd.lr=0.1"], [], f"--set sgd.lr=0.1: 'sgd' is no optimiser that is asked for, which are adam, {NADAM}."),
        (["adm.lr=0.1"], [], "Did you mean 'adam'?"),
        ([], [f"{NADAM}.lr=nan,1"], f"--grid {NADAM}.lr=nan,1: learning_rate must lie in [0, 1000]; got nan."),
        ([], [f"{NADAM}.lr=-1,1"], f"--grid {NADAM}.lr=-1,1: learning_rate"),
        ([], ["sgd.lr=0.1,1"], "--grid sgd.lr=0.1,1: 'sgd' is no optimiser that is asked for"),
    ],
)
def test_an_error_names_the_text_that_it_is_about(settings, grids, said):
    pytest.importorskip("torch")
    with called_by_options(), pytest.raises(InvalidArgumentError) as caught:
        Settings.read([FINE, *settings], grids, ["adam", NADAM])
    assert said in str(caught.value)


def test_a_call_in_python_is_told_of_its_own_argument():
    with pytest.raises(InvalidArgumentError, match=r"^hyperparameters adam.beta1=2: beta1 must lie in \[0, 1\]"):
        Settings.read(["adam.beta1=2"], [], ["adam"])
