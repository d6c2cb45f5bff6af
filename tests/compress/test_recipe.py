"""Recipes: what is read from them, and what is said of wrong ones."""

import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compress.bits import LayerBits
from gatewright.compress.recipe import (
    STEPS,
    Calibrate,
    Distil,
    Finetune,
    Hgq2,
    Prune,
    Quantize,
    Teacher,
    Train,
    Training,
    Transfer,
    check_order,
    ends_quantized,
    parse_recipe,
)
from gatewright.errors import InputError


def parse(text):
    return parse_recipe(yaml.safe_load(text))


def test_a_step_is_a_name_or_a_name_with_settings():
    recipe = parse("""
    - train
    - prune: {amount: 0.5, by: importance, structure: dsp, reuse_factor: 4, layers: [a, b]}
    - quantize: {bits: {a: 4, default: {weights: ternary, activations: 6}}, relu_integer: {a: 1}}
    - distil: {weight: 1, teacher: {architecture: {hidden: [64, 32]}}}
    - finetune: {learning_rate: 0.001, epochs: 3, freeze: [a]}
    """)
    assert recipe == (
        Train(),
        Prune(amount=0.5, by="importance", structure="dsp", reuse_factor=4, layers=("a", "b")),
        Quantize(
            bits={
                "a": LayerBits(weights=4, activations=4),
                "default": LayerBits(weights="ternary", activations=6),
            },
            relu_integer={"a": 1},
        ),
        Distil(weight=1.0, teacher=Teacher(architecture={"hidden": [64, 32]})),
        Finetune(learning_rate=0.001, epochs=3, freeze=("a",)),
    )
    assert parse_recipe(recipe) == recipe


def test_one_number_is_the_bits_of_all_layers():
    (_, step) = parse("[train, {calibrate: {bits: 6, samples: 100}}]")
    assert step == Calibrate(bits={"default": LayerBits(weights=6, activations=6)}, samples=100)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train", "a recipe is a list of steps, which are train, distil, "),
        ("[]", "a recipe has at least one step"),
        ("[train, 5]", "step 2: write NAME or NAME: {settings}, not 5"),
        ("[{train: {}, prune: {}}]", "step 1: write NAME"),
        ("[train, melt]", "step 2: 'melt' is not a step; steps are train, "),
        ("[train, {prune: 0.5}]", r"step 2 \(prune\): settings are a mapping, not 0.5"),
        ("[train, prune]", r"step 2 \(prune\): amount: is missing"),
        ("[{train: {epoch: 3}}]", r"step 1 \(train\): epoch: is not a known key"),
        ("[{train: {epochs: 0}}]", r"step 1 \(train\): epochs: .*equal to 1, not 0"),
        ("[{train: {epochs: '3'}}]", r"step 1 \(train\): epochs: .*integer, not '3'"),
        ("[train, {prune: {amount: 1}}]", r"\(prune\): amount: .*less than 1, not 1"),
        ("[train, {prune: {amount: 0.5, layers: []}}]", r"\(prune\): layers: .*at least 1 item"),
        ("[train, {prune: {amount: 0.5, by: luck}}]", r"by: .*'importance', not 'luck'"),
        ("[train, {prune: {amount: 0.5, structure: dsp}}]", r"\(prune\): the structures dsp"),
        ("[train, {prune: {amount: 0.5, reuse_factor: 2}}]", r"\(prune\): the structures dsp"),
        ("[train, {quantize: {bits: 1}}]", r"bits.default.weights: .*called binary, not 1"),
        ("[train, {quantize: {bits: dynamic}}]", r"\(quantize\): bits: "),
        ("[train, {quantize: {bits: {a: {weights: 3}}}}]", r"bits.a.activations: is missing"),
        ("[train, {quantize: {max_loss: 1}}]", r"\(quantize\): max_loss: .*less than 1, not 1"),
        ("[train, {calibrate: {max_loss: -0.1}}]", r"\(calibrate\): max_loss: .*greater than"),
        ("[train, {finetune: {freeze: a}}]", r"\(finetune\): freeze: .*not 'a'"),
        ("[train, {distil: {temperature: 0}}]", r"temperature: .*greater than 0, not 0"),
        ("[train, {distil: {teacher: {}}}]", r"teacher: give a teacher either its arch"),
        ("[transfer]", r"step 1 \(transfer\): model: is missing"),
        # The order.
        ("[quantize]", r"step 1 \(quantize\): there is no model yet; .* train, distil, transfer"),
        ("[finetune]", r"step 1 \(finetune\): there is no model yet"),
        ("[train, train]", r"step 2 \(train\): starts from initial weights"),
        ("[train, {transfer: {model: a.h5}}]", r"step 2 \(transfer\): starts from initial weights"),
        ("[distil]", r"step 1 \(distil\): teacher: is missing"),
        ("[{transfer: {model: a.h5}}, distil]", r"step 2 \(distil\): teacher: is missing"),
        ("[train, hgq2]", r"step 2 \(hgq2\): beta: is missing"),
        ("[train, {hgq2: {beta: -1.0}}]", r"\(hgq2\): beta: .*equal to 0, not -1.0"),
        ("[train, {hgq2: {beta: .inf}}]", r"\(hgq2\): beta: .*"),
        ("[train, {hgq2: {beta: '1e-5'}}]", r"\(hgq2\): beta: .*number, not '1e-5'"),
        ("[train, {hgq2: {beta: 0.1, bits: 3}}]", r"\(hgq2\): bits: is not a known key"),
        ("[{hgq2: {beta: 0.1}}]", r"step 1 \(hgq2\): there is no model yet"),
        ("[train, {hgq2: {beta: 0.1}}, finetune]", r"step 2 \(hgq2\): no step can change .*last"),
        ("[train, {hgq2: {beta: 0.1}}, quantize]", r"step 2 \(hgq2\): no step can change"),
        ("[train, quantize, {hgq2: {beta: 0.1}}]", r"step 3 \(hgq2\): an earlier step has"),
        (
            "[train, {prune: {amount: 0.5}}, {hgq2: {beta: 0.1}}]",
            r"step 3 \(hgq2\): HGQ2 would not hold pruned weights at zero; leave out prune",
        ),
        ("[train, quantize, calibrate]", r"step 3 \(calibrate\): an earlier step has already"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_named(text, says):
    with pytest.raises(InputError, match=says) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_hardware_needs_a_step_that_quantizes():
    assert not ends_quantized(parse("[train, finetune]"))
    assert ends_quantized(parse("[train, quantize, finetune]"))
    assert ends_quantized(parse("[train, calibrate]"))
    assert ends_quantized(parse("[train, {hgq2: {beta: 0.1}}]"))


MADE = {
    Train: Train(),
    Distil: Distil(),
    Finetune: Finetune(),
    Transfer: Transfer(model="a.h5"),
    Prune: Prune(amount=0.5),
    Quantize: Quantize(),
    Calibrate: Calibrate(),
    Hgq2: Hgq2(beta=1e-4),
}


@given(st.lists(st.sampled_from(list(MADE.values())), max_size=6))
def test_an_order_is_accepted_just_where_every_step_has_what_it_needs(recipe):
    """The rules once more, by counting instead of by walking."""
    kinds = [type(step) for step in recipe]
    quantizing = [kind for kind in kinds if kind in (Quantize, Calibrate, Hgq2)]
    accepted = (
        bool(kinds)
        and kinds[0] in (Train, Transfer)  # a teacherless distil can't be first
        and not {Train, Transfer} & set(kinds[1:])
        and len(quantizing) <= 1
        and (Distil not in kinds or kinds[0] is Train)
        and (Hgq2 not in kinds or (kinds[-1] is Hgq2 and Prune not in kinds))
    )
    try:
        check_order(recipe)
    except InputError:
        assert not accepted
    else:
        assert accepted


def test_every_step_is_here():
    assert set(STEPS.values()) == set(MADE)


def test_validation_is_a_fraction():
    fields = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "seed": 1}
    assert Training(**fields).validation == 0
    for wrong in (-0.1, 0.95):
        with pytest.raises(ValueError, match="validation"):
            Training(**fields, validation=wrong)


def test_recipes_need_no_tensorflow():
    code = (
        "import sys, gatewright.compress.recipe;"
        "sys.exit(bool({'tensorflow', 'tf_keras', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
