"""Every torch.optim class through Lightning: the steps of a plain loop, and a run that goes on from a checkpoint."""

import pytest
import torch
from torch.utils.data import DataLoader

from normbench.errors import InvalidArgumentError
from normbench.torch.optimizers.averages import Averaging
from tests.clients.torch_loops import MEMBERS, classifier, in_a_loop, names, samples

each = pytest.mark.parametrize("member", MEMBERS, ids=names(MEMBERS))
AVERAGING = [member for member in MEMBERS if issubclass(member.kind, Averaging)]
BATCHES = [tuple(part[rows] for part in samples()) for rows in torch.arange(20).split(10)]


@pytest.fixture
def fit(in_lightning, tmp_path):
    """Fit a module to some steps over batches; further arguments are those of fit()."""

    def fitted(module, steps, batches=None, validation=None, *, callbacks=(), **options):
        trainer = in_lightning["pl"].Trainer(
            accelerator="cpu",
            max_steps=steps,
            callbacks=list(callbacks),
            enable_checkpointing=bool(callbacks),
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        loaders = [part and DataLoader(part, batch_size=None) for part in (batches or [samples()], validation)]
        trainer.fit(module, *loaders, **options)
        return trainer

    return fitted


def module_of(in_lightning, member, kind="Digits", seed=0):
    return in_lightning[kind](classifier(seed), member.kind, **member.options)


def same(model, other):
    return all(map(torch.equal, model.parameters(), other.parameters()))


@each
def test_steps_are_those_of_a_loop(in_lightning, fit, member):
    module = module_of(in_lightning, member)
    trainer = fit(module, 3, BATCHES)
    assert trainer.global_step == 3
    assert module.automatic_optimization != member.closure
    assert not same(module.model, classifier())
    assert same(module.model, in_a_loop(member, 3, BATCHES)[0])


@each
def test_a_run_from_a_checkpoint_goes_on_with_the_same_bits(in_lightning, fit, tmp_path, member):
    whole = module_of(in_lightning, member)
    fit(whole, 4)
    fit(module_of(in_lightning, member), 2).save_checkpoint(tmp_path / "at_2.ckpt")
    resumed = module_of(in_lightning, member, seed=1)
    trainer = fit(resumed, 4, ckpt_path=tmp_path / "at_2.ckpt")
    assert trainer.global_step == 4
    assert same(resumed.model, whole.model)


@pytest.mark.parametrize("member", [m for m in MEMBERS if m.closure], ids=lambda member: member.name)
def test_automatic_optimisation_of_a_closure_that_is_differentiated_says_what_to_do(in_lightning, fit, member):
    module = module_of(in_lightning, member)
    module.automatic_optimization = True
    with pytest.raises(InvalidArgumentError, match=r"must not call backward\(\).*automatic_optimization = False"):
        fit(module, 1)


# it is not the run that keeps checkpoints
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create:UserWarning")
@pytest.mark.parametrize("member", AVERAGING, ids=names(AVERAGING))
def test_the_kept_weights_are_averages_and_training_goes_on_from_the_iterates(in_lightning, fit, tmp_path, member):
    model, optimizer = in_a_loop(member, 2, BATCHES)
    iterate = [p.detach().clone() for p in model.parameters()]
    optimizer.eval()
    keeping = in_lightning["pl"].callbacks.ModelCheckpoint(tmp_path, "kept", save_weights_only=False)
    module = module_of(in_lightning, member, "Averaged")
    fit(module, 2, BATCHES, BATCHES, callbacks=[keeping])
    assert same(module.model, model)
    kept = torch.load(tmp_path / "kept.ckpt", weights_only=True)
    assert all(map(torch.equal, kept["state_dict"].values(), model.parameters()))
    assert not all(map(torch.equal, iterate, model.parameters()))

    resumed = module_of(in_lightning, member, "Averaged", seed=1)
    fit(resumed, 4, BATCHES, BATCHES, ckpt_path=tmp_path / "kept.ckpt")
    model, optimizer = in_a_loop(member, 4, BATCHES)
    optimizer.eval()
    assert same(resumed.model, model)
