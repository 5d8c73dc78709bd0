"""Runs over several devices for test_devices, and what is compared of them; no library is imported here."""

from normbench.backends.trajectory import Part
from normbench.running.run import build_trainer, problem_of
from tests.running.few_digits import asked, few_digits

DEVICES = 5  # 96 samples are 19 or 20 for each, and the 16 of a batch 3 or 4
BATCHES = {"batch_size": 16, "iterations": 25}
CASES = {
    "by hand": ("digits", "method1", {"iterations": 20}),
    "whole": ("digits-xent", "adam", {"iterations": 20}),
    "rows": ("digits-conv-xent", "adam", BATCHES),
    "fed": ("digits-conv-xent", "adam", BATCHES | {"augmentation": "crop_flip"}),
}


def made(name, backend, devices):
    """What a run came to, as something that JSON holds."""
    task, key, fields = CASES[name]
    wanted = asked(task, key, backend, devices=devices, **fields)
    problem = problem_of(wanted, few_digits())
    trainer = build_trainer(wanted, problem)
    trainer.advance(wanted.iterations)
    found = trainer.trajectory()
    targets = {Part.TRAIN: problem.y_train, Part.TEST: problem.y_test}
    errors = [problem.errors(trainer.outputs(part), targets[part]) for part in Part]
    return {
        "loss": found.loss.tolist(),
        "step_size": found.step_size.tolist(),
        "weights": [w.tolist() for w in found.weights],
        "errors": [trainer.test_loss(), *errors[0], *errors[1]],
        "passes": int(found.gradient_evaluations[-1]),
    }
