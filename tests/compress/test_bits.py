"""Bits of layers: what is read, and what is said of wrong ones."""

import pytest
from pydantic import BaseModel, ValidationError

from gatewright.compress.bits import BitsByLayer, LayerBits, bits_of, parse_bits
from gatewright.errors import InputError


class Holder(BaseModel):
    bits: BitsByLayer


def test_a_number_stands_for_weights_and_activations():
    bits = Holder.model_validate(
        {"bits": {"a": 4, "b": {"weights": "po2<4>", "activations": 6}, "default": 8}}
    ).bits
    assert bits["a"] == LayerBits(weights=4, activations=4)
    assert bits["b"].po2 == 4
    assert bits["a"].po2 is None
    assert bits_of(bits, "a") == bits["a"]
    assert bits_of(bits, "c") == LayerBits(weights=8, activations=8)
    assert bits_of({}, "c") is None


@pytest.mark.parametrize(
    ("fields", "biases"),
    [
        ({"weights": 4, "activations": 6}, 4),
        ({"weights": "binary", "activations": 6}, 6),
        ({"weights": "po2<5>", "activations": 7}, 7),
        ({"weights": "ternary", "activations": 6, "biases": 9}, 9),
    ],
)
def test_biases_have_the_bits_of_the_weights_if_those_have_any(fields, biases):
    assert LayerBits(**fields).bias_bits == biases


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"weights": 1, "activations": 4}, "called binary"),
        ({"weights": 17, "activations": 4}, "2 to 16"),
        ({"weights": "po2<6>", "activations": 4}, "from 2 to 5"),
        ({"weights": "po2", "activations": 4}, "po2<N>"),
        ({"weights": 4, "activations": 1}, "greater than or equal to 2"),
        ({"weights": 4, "activations": "dynamic"}, "hardware has fixed types"),
        ({"weights": 4}, "Field required"),
        ({"weights": True, "activations": 4}, "weights"),
    ],
)
def test_wrong_bits_are_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        LayerBits(**fields)


def test_command_line():
    assert parse_bits(["6", "conv1=4", "conv2=ternary,5", "a=po2<3>,4", "b=4, 6, 8"]) == {
        "default": LayerBits(weights=6, activations=6),
        "conv1": LayerBits(weights=4, activations=4),
        "conv2": LayerBits(weights="ternary", activations=5),
        "a": LayerBits(weights="po2<3>", activations=4),
        "b": LayerBits(weights=4, activations=6, biases=8),
    }


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ternary"], "--bits ternary: write BITS"),
        (["a=2,3,4,5"], "--bits a=2,3,4,5: write BITS"),
        (["a=4,6,binary"], "--bits a=4,6,binary: biases: "),
        (["a=4,6,1"], "--bits a=4,6,1: biases: "),
        (["=3"], "--bits =3: write"),
        ([""], "--bits : write"),
        (["a=3", "a=4"], "--bits a=4: layer 'a' is given before"),
        (["3", "4"], "--bits 4: the default is given before"),
        (["4,dynamic"], "--bits 4,dynamic: activations: dynamic ranges"),
        (["a=99"], "--bits a=99: weights: weights have 2 to 16"),
        (["4,99"], "--bits 4,99: activations: "),
    ],
)
def test_wrong_command_lines_are_named(texts, said):
    with pytest.raises(InputError) as error:
        parse_bits(texts)
    assert str(error.value).startswith(said)
